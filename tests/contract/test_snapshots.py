"""Generations of panes, on every engine."""

from __future__ import annotations

import threading

import pytest
from msgspec.structs import replace

from tests.contract.conftest import Ticking
from tests.contract.units import whole_log
from zdriver.context.contents import Packed
from zdriver.context.layout import Frame, Layout, Pane, Plugin, Split, Tab, terminals
from zdriver.context.model import Place, SnapshotInfo
from zdriver.context.scrollback import keep
from zdriver.context.service import ContextService
from zdriver.context.snapshots import Captured, SnapshotService
from zdriver.core.errors import NotFound, StoreDamaged, Unavailable
from zdriver.storage.port import Store, Transaction

HOUR = 3_600_000_000
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@pytest.fixture
def snapshots(store: Store, clock: Ticking) -> SnapshotService:
    return SnapshotService(store, host="host", clock=clock)


def layout(*commands: tuple[str, ...], **first: object) -> Layout:
    panes = [Pane(cwd="/w", command=command) for command in commands]
    panes[0] = Pane(cwd="/w", command=commands[0], **first)  # type: ignore[arg-type]  # fields of a pane
    return Layout(tabs=(Tab(name="one", focus=True, tiled=(Split(children=tuple(panes)),)),))


def spoil(store: Store, key: str, data: bytes = b"spoilt") -> None:
    def unit(tx: Transaction) -> None:
        assert tx.run("snapshot.replace_blob", key=key, data=data)

    store.write(unit)


def content_key(store: Store, generation: int) -> str:
    row = store.read(lambda tx: tx.one("snapshot.by_generation", generation=generation))
    assert row is not None
    return str(row["content"])


def linked(store: Store, generation: int) -> set[str]:
    rows = store.read(lambda tx: tx.all("snapshot.linked", generation=generation))
    return {row["key"] for row in rows}


def test_what_was_recorded_is_shown(snapshots: SnapshotService) -> None:
    given = Layout(
        tabs=(
            Tab(
                name='ünï "quoted"\n',
                focus=True,
                tiled=(
                    Pane(plugin=Plugin(location="zellij:tab-bar"), size="1", borderless=True),
                    Split(
                        direction="vertical",
                        children=(Pane(cwd="/w/a b", command=("vim", "x y", "")), Pane(cwd="/w", focus=True)),
                    ),
                ),
                floating=(Pane(name="notes", cwd="/", frame=Frame(x="10%", y="3", pinned=True)),),
            ),
            Tab(tiled=(Pane(cwd="/w", command=("sleep", "1000")),)),
        ),
        tail="swap_tiled_layout { }",
    )
    info = snapshots.record("s", "/w", given, "change")
    assert info is not None
    assert (info.zellij_session, info.root, info.reason, info.tabs, info.panes) == ("s", "/w", "change", 2, 4)
    shown = snapshots.show()
    assert (shown.info, shown.layout) == (info, given)
    assert snapshots.show(info.generation) == snapshots.show(zellij_session="s") == shown
    assert snapshots.list() == snapshots.list(zellij_session="s", root="/w") == (info,)
    assert snapshots.list(zellij_session="other") == snapshots.list(root="/other") == ()


def test_only_a_change_makes_a_generation(snapshots: SnapshotService, store: Store) -> None:
    first = snapshots.record("s", "/w", layout(("vim", "a")), "change")
    assert first is not None
    assert snapshots.record("s", "/w", layout(("vim", "a")), "change") is None
    # Nor in a process that did not see the first one.
    assert SnapshotService(store, host="host").record("s", "/w", layout(("vim", "a")), "change") is None
    second = snapshots.record("s", "/w", layout(("vim", "b")), "change")
    assert second is not None
    assert second.generation > first.generation
    back = snapshots.record("s", "/w", layout(("vim", "a")), "change")
    assert back is not None
    assert snapshots.record("other", "/w", layout(("vim", "a")), "change") is not None
    assert [row["type"] for row in whole_log(store)] == ["snapshot.taken"] * 4


def test_a_renamed_session_takes_its_generations_along(snapshots: SnapshotService) -> None:
    first = snapshots.record("old", "/w", layout((), ("vim",)), "change")
    elsewhere = snapshots.record("old", "/x", layout(("top",)), "change")  # another one of that name
    snapshots.renamed("old", "new", root="/w")
    assert first is not None
    assert elsewhere is not None
    assert [each.generation for each in snapshots.list(zellij_session="new")] == [first.generation]
    assert [each.generation for each in snapshots.list(zellij_session="old")] == [elsewhere.generation]
    assert snapshots.record("new", "/w", layout((), ("vim",)), "change") is None
    assert snapshots.record("old", "/w", layout((), ("vim",)), "change") is not None


def test_an_empty_layout_never_hides_a_good_one(snapshots: SnapshotService) -> None:
    bar = Pane(plugin=Plugin(location="zellij:status-bar"))
    assert snapshots.record("s", "/w", layout(("vim",)), "change") is not None
    for empty in (Layout(), Layout(tabs=(Tab(),)), Layout(tabs=(Tab(tiled=(bar,)),))):
        assert snapshots.record("s", "/w", empty, "change") is None
    assert snapshots.show().layout == layout(("vim",))


def test_secrets_are_cut_and_the_pane_says_so(snapshots: SnapshotService) -> None:
    given = layout(("mysql", "-phunter2", "db"), ("vim", "a"), name=f"with {SECRET}")
    assert snapshots.record("s", "/w", given, "change") is not None
    first, second = terminals(snapshots.show().layout.tabs[0])
    assert (first.command, first.redacted) == (("mysql", "-p‹redacted›", "db"), True)
    assert first.name == "with ‹redacted›"
    assert (second.command, second.redacted) == (("vim", "a"), False)
    assert snapshots.record("s", "/w", given, "change") is None


def kept(lines: list[str]) -> Packed:
    return keep("".join(lines), 100_000)


def shown_texts(snapshots: SnapshotService, generation: int = 0) -> list[str]:
    panes = terminals(snapshots.show(generation).layout.tabs[0])
    return [snapshots.scrollback(pane.contents) if pane.contents else "" for pane in panes]


def test_scrollback_is_kept_once(snapshots: SnapshotService, store: Store) -> None:
    lines = [f"line {i} of the output\n" for i in range(5000)]
    first = snapshots.record(
        "s",
        "/w",
        layout(("a",), contents="t1"),
        "change",
        scrollback={"t1": kept([*lines[:4000], SECRET])},
    )
    assert first is not None
    # The upper lines scrolled away, new ones came: most of it is there already.
    second = snapshots.record(
        "s", "/w", layout(("b",), contents="t1"), "change", scrollback={"t1": kept(lines[500:])}
    )
    assert second is not None
    assert shown_texts(snapshots, first.generation) == ["".join(lines[:4000]) + "‹redacted›\n"]
    assert shown_texts(snapshots, second.generation) == ["".join(lines[500:])]
    old, new = linked(store, first.generation), linked(store, second.generation)
    assert len(old & new) > 0.7 * len(old)
    # A pane whose text was not given has none.
    third = snapshots.record("s", "/w", layout(("c",), contents="t1"), "change")
    assert third is not None
    assert shown_texts(snapshots) == [""]


def test_new_texts_alone_go_into_the_newest_generation(snapshots: SnapshotService, store: Store) -> None:
    def record(one: Packed | None, two: Packed | None) -> SnapshotInfo | None:
        both = layout(("a",), ("b",), contents="t1")
        tab = both.tabs[0]
        assert isinstance(tab.tiled[0], Split)
        first, second = tab.tiled[0].children
        named = replace(tab.tiled[0], children=(first, replace(second, contents="t2")))
        texts = {name: text for name, text in (("t1", one), ("t2", two)) if text is not None}
        return snapshots.record(
            "s", "/w", Layout(tabs=(replace(tab, tiled=(named,)),)), "change", scrollback=texts
        )

    def blobs() -> int:
        row = store.read(lambda tx: tx.one("snapshot.count_blobs"))
        assert row is not None
        return int(row["blobs"])

    made = record(None, None)
    assert made is not None
    without = blobs()
    assert record(kept(["one\n"]), None) is None
    assert shown_texts(snapshots) == ["one\n", ""]
    # What is not known, as after a restart of the daemon, stays.
    assert record(None, kept(["two\n"])) is None
    assert shown_texts(snapshots) == ["one\n", "two\n"]
    assert record(kept(["other\n"]), None) is None
    assert shown_texts(snapshots) == ["other\n", "two\n"]
    assert snapshots.show().info == made
    # A cleared pane's text is gone, and nothing of the earlier ones is left behind.
    assert record(Packed("", {}), Packed("", {})) is None
    assert shown_texts(snapshots) == ["", ""]
    assert blobs() == without
    row = store.read(lambda tx: tx.one("snapshot.by_generation", generation=made.generation))
    assert row is not None
    assert row["size"] < 1000
    # A pinned one is as it was when it was pinned.
    assert record(kept(["pinned\n"]), None) is None
    snapshots.pin(made.generation)
    fresh = record(kept(["later\n"]), None)
    assert fresh is not None
    assert shown_texts(snapshots, made.generation) == ["pinned\n", ""]
    assert shown_texts(snapshots, fresh.generation) == ["later\n", ""]


def test_a_damaged_generation_is_passed_over(snapshots: SnapshotService, store: Store) -> None:
    good = snapshots.record("s", "/w", layout(("vim", "a")), "change")
    bad = snapshots.record("s", "/w", layout(("vim", "b")), "change")
    assert good is not None
    assert bad is not None
    spoil(store, content_key(store, bad.generation))
    assert snapshots.show().info == good
    assert snapshots.latest_good(root="/w") == snapshots.latest_good(zellij_session="s") == snapshots.show()
    with pytest.raises(StoreDamaged, match=f"generation {bad.generation}"):
        snapshots.show(bad.generation)
    # The same again, seen by a process without a memory: it must be kept, and it heals the old one.
    fresh = SnapshotService(store, host="host")
    again = fresh.record("s", "/w", layout(("vim", "b")), "change")
    assert again is not None
    assert fresh.show().info == again
    assert fresh.show(bad.generation).layout == layout(("vim", "b"))


def test_a_foreign_blob_is_noticed(snapshots: SnapshotService, store: Store) -> None:
    """Whole in itself, but not what was written."""
    one = snapshots.record("s", "/w", layout(("vim", "a")), "change")
    two = snapshots.record("s", "/w", layout(("vim", "b")), "change")
    assert one is not None
    assert two is not None
    other = store.read(lambda tx: tx.one("snapshot.blob", key=content_key(store, one.generation)))
    assert other is not None
    spoil(store, content_key(store, two.generation), other["data"])
    assert snapshots.show().info == one


def test_nothing_to_show(snapshots: SnapshotService) -> None:
    assert snapshots.list() == ()
    assert snapshots.latest_good() is None
    for call in (snapshots.show, lambda: snapshots.show(7), lambda: snapshots.pin(7)):
        with pytest.raises(NotFound):
            call()


def test_saving_by_hand(snapshots: SnapshotService) -> None:
    place = Place(cwd="/w", zellij_session="s")
    with pytest.raises(Unavailable, match="plugin"):
        snapshots.save(place=place)
    snapshots.capturer = lambda at: Captured(
        zellij_session=at.zellij_session, root="/w", layout=layout(("vim", "a"))
    )
    saved = snapshots.save(place=place, request="r")
    assert (saved.reason, saved.pinned) == ("manual", False)
    assert snapshots.save(place=place) == saved
    assert snapshots.save(place=place, request="r") == saved
    pinned = snapshots.save(place=place, pin=True)
    assert (pinned.generation, pinned.pinned) == (saved.generation, True)
    assert snapshots.pin(saved.generation, pinned=False) == saved


@pytest.mark.parametrize("panes", [(), (Pane(plugin=Plugin(location="zellij:strider")),)])
def test_an_empty_layout_is_not_saved_by_hand_either(snapshots: SnapshotService, panes: tuple[Pane]) -> None:
    good = snapshots.record("s", "/w", layout(("vim", "a")), "change")
    empty = Layout(tabs=(Tab(tiled=panes),))
    snapshots.capturer = lambda at: Captured(zellij_session="s", root="/w", layout=empty)
    with pytest.raises(Unavailable, match="no terminal panes"):
        snapshots.save(place=Place(cwd="/w"), pin=True)
    assert snapshots.list() == (good,)


def test_old_generations_are_thinned_out(snapshots: SnapshotService, store: Store, clock: Ticking) -> None:
    made = [snapshots.record("s", "/w", layout(("n", str(i))), "change") for i in range(20)]
    assert made[3] is not None
    snapshots.pin(made[3].generation)
    assert snapshots.prune() == 0
    clock.ahead = 48 * HOUR
    assert snapshots.prune() >= 17
    kept = {info.generation for info in snapshots.list(limit=100)}
    assert {made[3].generation, snapshots.show().info.generation} <= kept
    for info in snapshots.list(limit=100):
        assert snapshots.show(info.generation).info == info
    # Recording thins out by itself, too, and takes the content along.
    clock.ahead = 24 * 400 * HOUR
    snapshots.record("s", "/w", layout(("new",)), "change")
    left = [info.generation for info in snapshots.list(limit=100)]
    assert len(left) == 2
    assert store.read(lambda tx: tx.one("snapshot.count_blobs")) == {"blobs": 2}


def test_the_newest_good_one_is_kept_for_ever(
    snapshots: SnapshotService, store: Store, clock: Ticking
) -> None:
    good = snapshots.record("s", "/w", layout(("good",)), "change")
    bad = snapshots.record("s", "/w", layout(("bad",)), "change")
    assert good is not None
    assert bad is not None
    spoil(store, content_key(store, bad.generation))
    clock.ahead = 24 * 1000 * HOUR
    snapshots.prune()
    assert snapshots.show().info == good


def test_forgetting_a_context_takes_its_snapshots(snapshots: SnapshotService, store: Store) -> None:
    contexts = ContextService(store, host="host", roots=lambda at: at, head=lambda root: None)
    intent = contexts.set_intent("x", place=Place(cwd="/w", zellij_session="new"))
    contexts.set_intent("y", place=Place(cwd="/w", zellij_session="neighbour"))
    kept = [
        snapshots.record("neighbour", "/w", layout(("n",)), "change"),
        snapshots.record("new", "/elsewhere", layout(("n",)), "change"),
    ]
    snapshots.record("new", "/w", layout(("n", "2")), "change")
    snapshots.record("dead, restored into new", "/w", layout(("n", "3")), "change")
    assert contexts.forget((intent.context.id,)).snapshots == 2
    assert [info.generation for info in snapshots.list()] == [info.generation for info in kept[::-1] if info]
    assert store.read(lambda tx: tx.one("snapshot.count_blobs")) == {"blobs": 1}


def test_many_sessions_at_once(snapshots: SnapshotService) -> None:
    def work(k: int) -> None:
        for i in range(10):
            assert snapshots.record(f"s{k}", "/w", layout(("n", f"{k} {i}")), "change") is not None
            assert snapshots.show(zellij_session=f"s{k}").layout == layout(("n", f"{k} {i}"))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    generations = [info.generation for info in snapshots.list(limit=1000)]
    assert len(set(generations)) == len(generations) == 80
