"""The planner of shared configuration: applied twice is once, and what is not ours is never touched."""

from __future__ import annotations

import string

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from zdriver.sync import planner
from zdriver.sync.planner import (
    Conflict,
    Forget,
    Found,
    Make,
    Plan,
    Recorded,
    Remove,
    Replace,
    Settle,
    Wanted,
    plan,
)

PATHS = [".env", "a", "a/b", "a/b/c", "x y", "-n", "new\nline", "é", "e\u0301"]
_texts = st.text(string.ascii_lowercase, min_size=1, max_size=2)
_kinds = st.sampled_from(["link", "copy"])
_wanted = st.builds(Wanted, source=_texts, kind=_kinds, content=_texts)
_recorded = st.builds(
    Recorded,
    source=_texts,
    kind=_kinds,
    content=_texts,
    done=st.booleans(),
    folders=st.just(0),
    next=st.none() | _wanted,
)
#: What a worktree has: the content and its kind.
_things = st.tuples(st.sampled_from(["link", "file"]), _texts)

World = dict[str, tuple[str, str]]


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[str, Wanted], dict[str, Recorded], World, set[str]]:
    """A worktree's files, no file above another one, and any rows and wishes about them."""
    wanted = draw(st.dictionaries(st.sampled_from(PATHS), _wanted, max_size=6))
    wanted = {path: each for path, each in wanted.items() if not any(_above(path, other) for other in wanted)}
    world: World = {}
    for path, thing in draw(st.dictionaries(st.sampled_from(PATHS), _things, max_size=6)).items():
        if not any(_above(path, other) or _above(other, path) for other in world):
            world[path] = thing
    recorded = draw(st.dictionaries(st.sampled_from(PATHS), _recorded, max_size=6))
    for path in list(recorded):  # often what was recorded is what is there
        if path in world and draw(st.booleans()):
            kind, content = world[path]
            recorded[path] = Recorded("s", "link" if kind == "link" else "copy", content)
    tracked = draw(st.sets(st.sampled_from(PATHS), max_size=3))
    return wanted, recorded, world, tracked


def _above(path: str, other: str) -> bool:
    """`other` is a folder above `path`."""
    return path.startswith(f"{other}/")


def look(world: World, path: str) -> Found:
    for other in world:
        if _above(path, other):
            return Found("blocked", why="in the way", by=other)
    inside = frozenset(other for other in world if _above(other, path))
    if inside:
        return Found("folder", inside=inside)
    if path not in world:
        return Found()
    kind, content = world[path]
    return Found("link", content) if kind == "link" else Found("file", content)


def planned(
    wanted: dict[str, Wanted],
    recorded: dict[str, Recorded],
    world: World,
    tracked: set[str],
    **more: set[str],
) -> Plan:
    found = {path: look(world, path) for path in wanted.keys() | recorded.keys()}
    return plan(wanted, recorded, found, tracked, **more)


def apply(made: Plan, recorded: dict[str, Recorded], world: World) -> tuple[dict[str, Recorded], World]:
    """What carrying it out comes to."""
    rows, files = dict(recorded), dict(world)

    def put(path: str, want: Wanted) -> None:
        files[path] = ("link" if want.kind == "link" else "file", want.content)
        rows[path] = Recorded(want.source, want.kind, want.content)

    for remove in made.removals:
        del files[remove.path], rows[remove.path]
    for replace in made.replaces:
        put(replace.path, replace.want)
    for make in made.makes:
        assert make.path not in files
        put(make.path, make.want)
    for settle in made.settles:
        put(settle.path, settle.want)
    for forget in made.forgets:
        del rows[forget.path]
    return rows, files


@given(situations())
def test_applied_twice_is_once(
    situation: tuple[dict[str, Wanted], dict[str, Recorded], World, set[str]],
) -> None:
    wanted, recorded, world, tracked = situation
    rows, files = apply(planned(wanted, recorded, world, tracked), recorded, world)
    again = planned(wanted, rows, files, tracked)
    assert again.empty, again
    assert apply(again, rows, files) == (rows, files)


def put_by_us(was: Recorded | None, thing: tuple[str, str]) -> bool:
    """Whether a row says so: it was put there, or was about to be when an application was killed."""
    if was is None:
        return False
    rows = [(was.kind, was.content)] + ([(was.next.kind, was.next.content)] if was.next else [])
    return any((kind == "link", content) == (thing[0] == "link", thing[1]) for kind, content in rows)


def touches_only_ours(
    situation: tuple[dict[str, Wanted], dict[str, Recorded], World, set[str]],
) -> None:
    wanted, recorded, world, tracked = situation
    made = planned(wanted, recorded, world, tracked)
    _, files = apply(made, recorded, world)
    for path, thing in world.items():
        if not put_by_us(recorded.get(path), thing) or path in tracked:
            assert files.get(path) == thing, path
    for remove in made.removals:  # what is carried out asks again: it must be told what is there now
        assert remove.was.content == world[remove.path][1], remove.path
        assert put_by_us(recorded[remove.path], world[remove.path]), remove.path


@given(situations())
def test_what_is_not_ours_is_never_touched(
    situation: tuple[dict[str, Wanted], dict[str, Recorded], World, set[str]],
) -> None:
    touches_only_ours(situation)


def test_without_the_check_of_ownership_that_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a planner that takes everything for its own fails the property above."""

    def found() -> None:
        settings(phases=[Phase.generate], max_examples=60)(given(situations())(touches_only_ours))()

    found()
    monkeypatch.setattr(planner, "is_ours", lambda was, seen: seen.kind in ("link", "file"))
    with pytest.raises(AssertionError):
        found()


@given(situations(), st.data())
def test_killed_at_any_replacement_what_was_put_there_is_known(
    situation: tuple[dict[str, Wanted], dict[str, Recorded], World, set[str]], data: st.DataObject
) -> None:
    """After a kill, and with other wishes, nothing that was put there is taken for somebody's own."""
    wanted, recorded, world, tracked = situation
    rows, files = apply(planned(wanted, recorded, world, tracked), recorded, world)
    changed = {path: data.draw(_wanted) for path in wanted}
    made = planned(changed, rows, files, tracked)
    for replace in made.replaces:
        rows[replace.path] = msgspec.structs.replace(rows[replace.path], next=replace.want)
        if data.draw(st.booleans()):
            files[replace.path] = ("link" if replace.want.kind == "link" else "file", replace.want.content)
    last = {path: data.draw(_wanted) for path in wanted}
    again = planned(last, rows, files, tracked)
    assert not {each.path for each in again.conflicts} & {each.path for each in made.replaces}
    gone = planned({}, rows, files, set())
    assert {each.path for each in made.replaces} <= {each.path for each in gone.removals}


@given(situations())
def test_every_wish_is_there_or_said(
    situation: tuple[dict[str, Wanted], dict[str, Recorded], World, set[str]],
) -> None:
    wanted, recorded, world, tracked = situation
    made = planned(wanted, recorded, world, tracked)
    _, files = apply(made, recorded, world)
    told = {conflict.path for conflict in made.conflicts} | set(made.changed)
    for path, want in wanted.items():
        there = files.get(path) == ("link" if want.kind == "link" else "file", want.content)
        assert there or path in told, path


@given(situations())
def test_force_gives_way_only_where_it_is_asked_for(
    situation: tuple[dict[str, Wanted], dict[str, Recorded], World, set[str]],
) -> None:
    wanted, recorded, world, tracked = situation
    for path in wanted:
        made = planned(wanted, recorded, world, tracked, force={path})
        assert {each.path for each in made.replaces if each.forced} <= {path}
        assert not {each.path for each in made.replaces} & tracked


_LINK = Wanted("sync/repo/.env", "link", "../sync/repo/.env")
_COPY = Wanted("sync/repo/.env", "copy", "new")
_OURS = Found("link", "../sync/repo/.env")


@pytest.mark.parametrize(
    ("want", "was", "found", "tracked", "expected"),
    [
        (_LINK, None, Found(), False, Make),
        (_LINK, None, Found(), True, Conflict),  # tracked, and not checked out
        (_LINK, None, _OURS, False, type(None)),  # somebody made the same link: theirs
        (_LINK, None, Found("link", "/abs/.env", reaches=True), False, type(None)),
        (_LINK, None, Found("file"), False, Conflict),
        (_LINK, Recorded("s", "link", _LINK.content, done=False), _OURS, False, Settle),  # killed there
        (
            _LINK,
            Recorded("s", "link", "../sync/global/.env"),
            Found("link", "../sync/global/.env"),
            False,
            Replace,
        ),
        (_LINK, Recorded("s", "link", _LINK.content), Found("link", "elsewhere"), False, Conflict),
        (_LINK, Recorded("s", "copy", "old"), Found("file", "old"), False, Replace),
        (_COPY, Recorded("s", "copy", "old"), Found("file", "old"), False, Replace),
        (_COPY, Recorded("s", "copy", "old"), Found("file", "edited"), False, Conflict),
        (_COPY, Recorded("s", "copy", "new"), Found("file", "edited"), False, type(None)),
        (_LINK, None, Found("folder"), False, Conflict),
        (_LINK, None, Found("other"), False, Conflict),
        (None, Recorded("s", "link", _LINK.content), _OURS, False, Remove),
        (None, Recorded("s", "link", _LINK.content), _OURS, True, Forget),
        (None, Recorded("s", "link", _LINK.content), Found("file"), False, Forget),
        (None, Recorded("s", "copy", "old"), Found("file", "edited"), False, Forget),
        (None, Recorded("s", "link", _LINK.content), Found(), False, Forget),
    ],
)
def test_each_case(
    want: Wanted | None, was: Recorded | None, found: Found, tracked: bool, expected: type
) -> None:
    made = plan(
        {".env": want} if want else {},
        {".env": was} if was else {},
        {".env": found},
        {".env"} if tracked else set(),
    )
    steps = (
        *made.removals, *made.replaces, *made.makes, *made.settles, *made.forgets, *made.conflicts
    )  # fmt: skip
    assert [type(step) for step in steps] == ([] if expected is type(None) else [expected])


def test_a_folder_of_our_links_gives_way_to_a_link_to_the_folder() -> None:
    was = {path: Recorded("s", "link", path) for path in ("c/a", "c/b")}
    found = {path: Found("link", path) for path in was} | {"c": Found("folder", inside=frozenset(was))}
    made = plan({"c": Wanted("sync/repo/c", "link", "../sync/repo/c")}, was, found, set())
    assert [step.path for step in made.removals] == ["c/a", "c/b"]
    assert [step.path for step in made.makes] == ["c"]
    own = {**found, "c": Found("folder", inside=frozenset((*was, "c/own")))}
    made = plan({"c": Wanted("sync/repo/c", "link", "../sync/repo/c")}, was, own, set())
    assert not made.makes
    assert [step.path for step in made.conflicts] == ["c"]
