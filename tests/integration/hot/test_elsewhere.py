"""A context that was left on one machine is found on the other, and no entry is there twice."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.hot.machines import Machine, fields, git, machine, remote, soon
from zdriver.context.layout import Layout, Pane, Plugin, Split, Tab
from zdriver.hot.model import HotView


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return remote(tmp_path)


@pytest.fixture
def desk(tmp_path: Path, redis_url: str, bare: Path) -> Iterator[Machine]:
    with machine("desk", tmp_path / "desk", redis_url, bare) as made:
        yield made


@pytest.fixture
def laptop(tmp_path: Path, redis_url: str, bare: Path) -> Iterator[Machine]:
    with machine("laptop", tmp_path / "laptop", redis_url, bare) as made:
        yield made


def left(desk: Machine, zellij_session: str = "work") -> None:
    desk.set_intent("Refactor the café", zellij_session)
    desk.milestone("one", zellij_session, artifacts=(f"{desk.root}/a.py", "b.py"))
    desk.milestone("two", zellij_session, kind="checkpoint")
    desk.caught_up()


def test_it_is_seen_before_anything_is_done_there(desk: Machine, laptop: Machine) -> None:
    left(desk)
    found = laptop.contexts.intent(place=laptop.place())
    assert found is not None
    assert found.text == "Refactor the café"
    assert (found.context.root, found.context.zellij_session) == (laptop.root, "work@desk")
    assert laptop.milestones() == ["two", "one"]
    assert laptop.history() == []  # looking changes nothing


def test_the_first_thing_that_is_written_goes_on_with_it(desk: Machine, laptop: Machine) -> None:
    left(desk)
    made = laptop.milestone("three", "mobile")
    assert laptop.intent("mobile") == "Refactor the café"
    assert laptop.milestones("mobile") == ["three", "two", "one"]
    assert laptop.history() == ["Refactor the café", "one", "three", "two"]
    one = laptop.contexts.history("one")[0]
    assert one.artifacts == (f"{laptop.root}/a.py", "b.py")
    parent = laptop.store.read(lambda tx: tx.one("hot.context", id=made.context.id, host="laptop"))
    assert parent is not None
    assert parent["parent_id"] == desk.contexts.contexts()[0].id
    # Ended here, it does not come back from there.
    laptop.contexts.clear_intent(place=laptop.place("mobile"))
    assert laptop.intent("mobile") == ""


def test_there_and_back_again_nothing_is_doubled(desk: Machine, laptop: Machine) -> None:
    left(desk)
    laptop.milestone("three", "mobile")
    laptop.caught_up()
    desk.taking.carry_on(desk.root, into="again")
    assert desk.milestones("again") == ["three", "two", "one"]
    assert desk.intent("again") == "Refactor the café"
    assert desk.history() == ["Refactor the café", "one", "three", "two"]
    # What it goes on with is closed, and its entries went along.
    assert [each.zellij_session for each in desk.contexts.contexts(root=desk.root)] == ["again"]
    desk.set_intent("Tidy up", "again")
    desk.caught_up()
    laptop.taking.carry_on(laptop.root, into="mobile")
    assert laptop.intent("mobile") == "Tidy up"
    assert laptop.history() == ["Refactor the café", "Tidy up", "one", "three", "two"]
    assert laptop.milestones("mobile") == ["three", "two", "one"]


def test_two_sessions_that_open_at_once_carry_it_on_once(
    desk: Machine, laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen it as news before either has written: else every entry would be there twice."""
    left(desk)
    seen, keep = threading.Barrier(2, timeout=60), laptop.taking._keep_panes

    def keeping(view: HotView, name: str, root: str) -> None:
        seen.wait()
        keep(view, name, root)

    monkeypatch.setattr(laptop.taking, "_keep_panes", keeping)
    opening = [
        threading.Thread(target=laptop.taking.carry_on, args=(laptop.root,), kwargs={"into": name})
        for name in ("one", "other")
    ]
    for each in opening:
        each.start()
    for each in opening:
        each.join()
    assert laptop.history() == ["Refactor the café", "one", "two"]
    with laptop.on_its_own():
        assert sorted((laptop.intent("one"), laptop.intent("other"))) == ["", "Refactor the café"]


def test_a_session_that_still_runs_keeps_its_context(desk: Machine, laptop: Machine) -> None:
    left(desk)
    desk.store.write(
        lambda tx: tx.run(
            "restore.server_opened", key="k", host="desk", name="work", pid=1, root=desk.root, at=tx.now()
        )
    )
    laptop.milestone("three", "mobile")
    laptop.caught_up()
    desk.taking.carry_on(desk.root, into="second")
    assert desk.intent("work") == desk.intent("second") == "Refactor the café"
    assert desk.milestones("work") == ["two", "one"]
    assert desk.milestones("second") == ["three", "two", "one"]


def test_panes_come_along_with_the_paths_of_here(desk: Machine, laptop: Machine) -> None:
    home = str(desk.folder)
    panes = (
        Pane(cwd=f"{desk.root}/src", command=("vim", f"{desk.root}/src/a.py", "--config=/etc/x")),
        Split(children=(Pane(cwd=home, command=("less", f"--log-file={home}/x", "rel/y")), Pane(cwd="/etc"))),
    )
    layout = Layout(tabs=(Tab(name="code", tiled=panes),))
    desk.snapshots.record("work", desk.root, layout, "change")
    left(desk)
    laptop.taking.carry_on(laptop.root, into="mobile")
    shown = laptop.snapshots.show(0, zellij_session="work@desk")
    here = str(laptop.folder)
    assert shown.info.reason == "taken-over"
    assert shown.info.root == laptop.root
    assert shown.layout.tabs[0].tiled == (
        Pane(cwd=f"{laptop.root}/src", command=("vim", f"{laptop.root}/src/a.py", "--config=/etc/x")),
        Split(children=(Pane(cwd=here, command=("less", f"--log-file={here}/x", "rel/y")), Pane(cwd="/etc"))),
    )
    there = desk.snapshots.list(zellij_session="work")[0].taken_at
    assert shown.info.taken_at == there
    laptop.taking.carry_on(laptop.root, into="mobile")
    assert len(laptop.snapshots.list()) == 1
    assert [each.zellij_session for each in laptop.contexts.contexts()] == ["mobile"]


def test_what_is_newer_here_stays(desk: Machine, laptop: Machine) -> None:
    left(desk)
    with laptop.on_its_own():
        laptop.set_intent("Something else", "mobile")
    laptop.taking.carry_on(laptop.root, into="mobile")
    assert laptop.intent("mobile") == "Something else"
    assert laptop.history() == ["Something else"]


def test_what_is_newer_there_goes_on_with_what_was_here(desk: Machine, laptop: Machine) -> None:
    with laptop.on_its_own():
        laptop.set_intent("Something else", "mobile")
        laptop.milestone("old", "mobile")
    left(desk)
    laptop.taking.carry_on(laptop.root, into="mobile")
    assert laptop.intent("mobile") == "Refactor the café"
    assert laptop.milestones("mobile") == ["two", "one", "old"]
    assert laptop.history() == ["Refactor the café", "Something else", "old", "one", "two"]


def test_another_branch_is_another_place(desk: Machine, laptop: Machine) -> None:
    left(desk)
    git(Path(laptop.root), "checkout", "-q", "-b", "fix")
    assert laptop.intent() == ""
    git(Path(laptop.root), "checkout", "-q", "main")
    assert laptop.intent() == "Refactor the café"


def test_without_a_remote_only_this_machine_finds_it(tmp_path: Path, redis_url: str) -> None:
    for name in ("desk", "laptop"):
        with machine(name, tmp_path / name, redis_url) as there:
            there.folder.joinpath("code", "app").mkdir(parents=True, exist_ok=True)
            Path(there.root).mkdir(exist_ok=True)
            assert there.intent() == ""
            left(there)


def test_one_that_does_not_answer_is_no_obstacle(
    tmp_path: Path, desk: Machine, bare: Path, redis_url: str
) -> None:
    left(desk)
    with machine("laptop", tmp_path / "laptop", "redis://127.0.0.1:1", bare) as laptop:
        assert laptop.intent() == ""
        laptop.milestone("on my own")
        assert laptop.milestones() == ["on my own"]


def test_a_store_that_was_lost_finds_its_contexts_again(tmp_path: Path, bare: Path, redis_url: str) -> None:
    folder = tmp_path / "desk"
    with machine("desk", folder, redis_url, bare) as desk:
        desk.panes("work", ("vim", "a.py"))
        left(desk)
    shutil.rmtree(folder / "data")
    with machine("desk", folder, redis_url, bare) as desk:
        desk.caught_up()
        desk.taking.carry_on(desk.root, into="work")
        assert desk.intent("work") == "Refactor the café"
        assert desk.milestones("work") == ["two", "one"]
        shown = desk.snapshots.show(0, zellij_session="work")
        assert shown.info.reason == "taken-back"
        assert shown.layout.tabs[0].tiled == (Pane(cwd=desk.root, command=("vim", "a.py")),)


def test_a_store_that_went_back_takes_back_what_only_redis_has(
    tmp_path: Path, bare: Path, redis_url: str
) -> None:
    """The newest of Redis and the journal, by version; and what comes then is newer again."""
    folder = tmp_path / "desk"
    with machine("desk", folder, redis_url, bare) as desk:
        desk.set_intent("Refactor", "work")
        desk.milestone("one", "work")
        desk.caught_up()
    shutil.copytree(folder / "data", folder / "backup")
    with machine("desk", folder, redis_url, bare) as desk:
        desk.milestone("two", "work")
        desk.set_intent("Refactor more", "work")
        desk.panes("work", ("vim",))
        desk.caught_up()
    shutil.rmtree(folder / "data")
    shutil.move(folder / "backup", folder / "data")
    with machine("desk", folder, redis_url, bare) as desk:
        soon(lambda: desk.milestones("work") == ["two", "one"], "the milestone is back")
        assert desk.intent("work") == "Refactor more"
        assert desk.snapshots.show(0, zellij_session="work").info.reason == "taken-back"
        id_ = desk.milestone("three", "work").context.id
        desk.caught_up()
        with redis.Redis.from_url(redis_url, decode_responses=True) as plain:
            texts = [each["text"] for each in fields(plain, id_)["milestones"]]
            assert texts == ["three", "two", "one"]
    with machine("desk", folder, redis_url, bare) as desk:  # and so after the next start
        desk.milestone("four", "work")
        desk.caught_up()
        assert desk.milestones("work") == ["four", "three", "two", "one"]
        assert desk.history() == ["Refactor", "Refactor more", "four", "one", "three", "two"]


def test_what_was_forgotten_here_does_not_come_back(tmp_path: Path, bare: Path, redis_url: str) -> None:
    """Also when the store that is opened then knows nothing of it."""
    folder = tmp_path / "desk"
    with machine("desk", folder, redis_url, bare) as desk:
        intent = desk.set_intent("private", "work")
        desk.caught_up()
        desk.contexts.forget((intent.context.id,))
        desk.taking.carry_on(desk.root, into="work")
        assert desk.history() == []
        desk.caught_up()
        desk.taking.carry_on(desk.root, into="work")
        assert desk.history() == []


def test_the_store_holds_what_redis_never_had(tmp_path: Path, bare: Path, redis_url: str) -> None:
    """A daemon that begins to use Redis puts into it what was there before."""
    folder = tmp_path / "desk"
    with machine("desk", folder, "redis://127.0.0.1:1", bare) as desk:
        left_alone = desk.set_intent("Refactor", "work").context.id
    with (
        machine("desk", folder, redis_url, bare) as desk,
        redis.Redis.from_url(redis_url, decode_responses=True) as plain,
    ):
        desk.caught_up()
        assert fields(plain, left_alone)["intent"] == "Refactor"


def test_what_was_forgotten_here_does_not_come_from_elsewhere(desk: Machine, laptop: Machine) -> None:
    left(desk)
    laptop.milestone("three", "mobile")
    (one,) = laptop.contexts.history("one")
    laptop.contexts.forget((one.id,))
    desk.milestone("four", "work")
    desk.caught_up()
    laptop.taking.carry_on(laptop.root, into="mobile")
    assert laptop.milestones("mobile") == ["four", "three", "two"]
    (context,) = laptop.contexts.contexts()
    laptop.contexts.forget((context.id,))
    desk.milestone("five", "work")
    desk.caught_up()
    laptop.taking.carry_on(laptop.root, into="mobile")
    assert laptop.history() == []
    assert desk.milestones("work") == ["five", "four", "two", "one"]


def test_what_another_machine_says_of_plugins_and_new_tabs_is_not_taken(
    desk: Machine, laptop: Machine
) -> None:
    bar, evil = Plugin(location="zellij:tab-bar"), Plugin(location="file:/tmp/evil.wasm")
    tiled = (
        Pane(plugin=bar, size="1", borderless=True),
        Split(children=(Pane(plugin=evil),)),
        Pane(cwd=desk.root),
        Pane(plugin=Plugin(location="https://example.org/evil.wasm")),
        Pane(plugin=Plugin(location="status-bar")),
    )
    layout = Layout(
        tabs=(Tab(tiled=tiled, floating=(Pane(plugin=evil),)),),
        tail='new_tab_template { pane command="evil"; }',
    )
    desk.snapshots.record("work", desk.root, layout, "change")
    left(desk)
    laptop.taking.carry_on(laptop.root, into="mobile")
    shown = laptop.snapshots.show(0, zellij_session="work@desk").layout
    assert shown.tail == ""
    assert [each for each in shown.tabs[0].tiled if isinstance(each, Pane)] == [
        tiled[0],
        Pane(cwd=laptop.root),
        tiled[4],
    ]
    assert (len(shown.tabs[0].tiled), shown.tabs[0].floating) == (3, ())


def test_two_daemons_that_share_an_id_leave_each_other_alone(
    tmp_path: Path, redis_url: str, bare: Path
) -> None:
    """Two homes on one machine have the same: none takes the other's mark for its own."""
    with (
        machine("desk", tmp_path / "one", redis_url, bare) as one,
        machine("desk", tmp_path / "two", redis_url, bare) as two,
    ):
        one.set_intent("first", "a")
        two.set_intent("second", "b")
        one.caught_up()
        two.caught_up()
        assert one.hot.intact()
        assert two.hot.intact()


def test_one_that_cannot_be_written_holds_up_no_other(
    desk: Machine, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = desk.hot.save

    def save(views: list[HotView], live: frozenset[str]) -> object:
        if any(view.zellij_session == "bad" for view in views):
            raise RuntimeError("a text that is none")
        return real(views, live)

    monkeypatch.setattr(desk.hot, "save", save)
    for name in ("good", "bad", "better"):
        desk.set_intent(name, name)
    desk.caught_up()
    found = {view.zellij_session for view in desk.hot.find(desk.sites.of(desk.root).key)}
    assert found == {"good", "better"}


def test_panes_that_were_seen_here_since_stay_the_newest(tmp_path: Path, bare: Path, redis_url: str) -> None:
    folder = tmp_path / "desk"
    with machine("desk", folder, redis_url, bare) as desk:
        desk.set_intent("Refactor", "work")
        desk.panes("work", ("vim",))
        desk.caught_up()
        id_ = desk.contexts.contexts()[0].id
        view = desk.hot.load(id_)
        assert view is not None
        desk.panes("work", ("htop",))
        desk.taking.recover(view)
        newest = desk.snapshots.show(0, zellij_session="work").layout
        assert newest.tabs[0].tiled == (Pane(cwd=desk.root, command=("htop",)),)


def test_what_is_shown_can_be_taken_back(desk: Machine, laptop: Machine) -> None:
    left(desk)
    undone = laptop.contexts.undo_milestone(place=laptop.place())
    assert undone.text == "two"
    cleared = laptop.contexts.clear_intent(place=laptop.place())
    assert cleared is not None
    assert cleared.text == "Refactor the café"
    assert (laptop.intent(), laptop.milestones()) == ("", ["one"])
    assert desk.milestones("work") == ["two", "one"]
