"""The plugin's state and a dump → the layout that a snapshot keeps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.layout_strategies import Screen, as_cells, as_dump, layout_of, layouts, without_own_windows
from zdriver.context.capture import (
    Command,
    PaneState,
    Process,
    State,
    TabState,
    build_layout,
    digest,
    is_own,
    is_popup,
    normalise,
    update_layout,
)
from zdriver.context.layout import Frame, Layout, Pane, Plugin, Split, leaves, terminals
from zdriver.zellij.kdl import parse_dump, parse_layout, render_layout

BAR = Pane(plugin=Plugin(location="zellij:tab-bar"), size="1", borderless=True)


def terminal(number: int, tab: int = 0, **fields: Any) -> PaneState:
    return PaneState(tab=tab, id=number, **{"rows": 10, "columns": 20, **fields})


def one_tab(*panes: PaneState, **fields: Any) -> State:
    tab = TabState(position=0, tab_id=7, name="work", active=True)
    return State(tabs=(tab,), panes=panes, **fields)


def only(layout: Layout | None) -> Pane:
    assert layout is not None
    (pane,) = terminals(layout.tabs[0])
    return pane


# ------------------------------------------------------------- the wire


def test_a_state_is_read_from_the_bridges_json() -> None:
    raw = b"""{"seq":3,"tabs":[{"position":0,"tab_id":1,"name":"t","active":true,"floating_visible":false}],
      "panes":[{"tab":0,"id":4,"is_plugin":false,"is_floating":false,"is_suppressed":false,"x":0,"y":1,
      "rows":20,"columns":80,"title":"~","focused":true,"fullscreen":false,"exited":false,"exit_status":null,
      "held":false,"command":null,"plugin_url":null,"stack":null,"added_later":1}],"pids":{"4":99},
      "cwds":{"4":"/w"},"commands":{"4":{"argv":["vim","x"],"foreground":true}},"typed":true,"clients":1,
      "layout":"layout { tab; }"}"""
    state = msgspec.json.decode(raw, type=State)
    assert state.pids == {4: 99}
    assert state.commands[4] == Command(argv=("vim", "x"), foreground=True)
    found = only(build_layout(state, {}, parse_dump(state.layout or "")))
    assert (found.cwd, found.command, found.focus) == ("/w", ("vim", "x"), True)


# ------------------------------------------------------------- matching


@given(layouts(), st.integers(0, 99))
def test_what_a_screen_shows_is_captured_whole(layout: Layout, seed: int) -> None:
    """Structure from the dump, all else from the manifest and /proc, whatever their order."""
    layout = as_cells(normalise(layout))
    screen = Screen(layout)
    state = screen.state(seed)
    dump = parse_dump(as_dump(layout))
    built = build_layout(state, screen.processes, dump)
    if not any(terminals(tab) for tab in layout.tabs):
        assert built is None
        return
    assert built is not None
    assert normalise(built) == normalise(without_own_windows(layout))


@given(layouts(), st.integers(0, 99))
def test_an_unchanged_session_needs_no_dump(layout: Layout, seed: int) -> None:
    layout = without_own_windows(as_cells(normalise(layout)))
    if not any(terminals(tab) for tab in layout.tabs):
        return
    screen = Screen(layout)
    state = screen.state(seed)
    updated = update_layout(layout, state, screen.processes)
    assert updated is not None
    assert normalise(updated) == normalise(layout)


def test_panes_are_told_apart_by_their_place() -> None:
    """Two columns; the left one has two rows. The manifest's order is another."""
    left = Split(size="40%", children=(Pane(name="top"), Pane(name="bottom")))
    dump = layout_of(BAR, Split(direction="vertical", children=(left, Pane(size="60%"))))
    state = one_tab(
        terminal(3, x=40, y=1, rows=29),
        terminal(1, x=0, y=16, title="bottom"),
        PaneState(tab=0, id=3, is_plugin=True, rows=1, columns=100, plugin_url="tab-bar"),
        terminal(2, x=0, y=1, title="top"),
    )
    processes = {n: Process(f"/{n}", ()) for n in (1, 2, 3)}
    built = build_layout(state, processes, dump)
    assert built is not None
    assert [pane.cwd for pane in terminals(built.tabs[0])] == ["/2", "/1", "/3"]


def test_a_pane_in_full_screen_is_the_one_that_is_missing() -> None:
    rows = tuple(Pane(name=name, focus=name == "b") for name in ("a", "b", "c"))
    state = one_tab(
        terminal(1, y=0, title="a"),
        terminal(2, y=0, rows=30, title="b", fullscreen=True, focused=True),
        terminal(3, y=20, title="c"),
    )
    for dump in (layout_of(*rows), layout_of(*(msgspec.structs.replace(row, focus=False) for row in rows))):
        built = build_layout(state, {n: Process(f"/{n}", ()) for n in (1, 2, 3)}, dump)
        assert built is not None
        assert [pane.cwd for pane in terminals(built.tabs[0])] == ["/1", "/2", "/3"]


def test_members_that_a_crowded_stack_hides_are_found_among_the_suppressed() -> None:
    dump = layout_of(
        Split(stacked=True, children=(Pane(name="a"), Pane(name="b"), Pane(name="c", expanded=True)))
    )
    state = one_tab(
        terminal(1, y=0, rows=1, title="a"),
        terminal(2, title="b", is_suppressed=True),
        terminal(3, y=1, rows=9, title="c"),
    )
    built = build_layout(state, {n: Process(f"/{n}", ()) for n in (1, 2, 3)}, dump)
    assert built is not None
    assert [pane.cwd for pane in terminals(built.tabs[0])] == ["/1", "/2", "/3"]


def test_of_a_stack_that_shows_its_open_member_only_each_pane_keeps_its_place() -> None:
    """As Zellij 0.45 lists a stack: the folded ones are suppressed and have the place of the open one."""
    stack = Split(stacked=True, children=(Pane(), Pane(expanded=True), Pane()))
    dump = layout_of(Split(direction="vertical", children=(Pane(), stack)))
    place: dict[str, Any] = {"x": 40, "y": 0, "rows": 20, "columns": 40}
    state = one_tab(
        terminal(1, x=0, y=0, rows=20, columns=40),
        terminal(2, **place, is_suppressed=True),
        terminal(3, **place, focused=True),
        terminal(4, **place, is_suppressed=True),
    )
    built = build_layout(state, {n: Process(f"/{n}", ()) for n in (1, 2, 3, 4)}, dump)
    assert built is not None
    found = terminals(built.tabs[0])
    assert [pane.cwd for pane in found] == ["/1", "/2", "/3", "/4"]
    assert [(pane.focus, pane.expanded) for pane in found] == [
        (False,) * 2,
        (False,) * 2,
        (True,) * 2,
        (False,) * 2,
    ]


def test_the_terminal_behind_its_scrollback_editor_is_captured() -> None:
    place: dict[str, Any] = {"x": 0, "y": 0, "rows": 20, "columns": 80}
    state = one_tab(
        terminal(9, **place, focused=True),
        terminal(1, **place, is_suppressed=True),
    )
    file = "/tmp/zellij/0f8fad5b-d9cb-469f-a165-70867728950e.dump"
    processes = {9: Process("/w", ("vim", file)), 1: Process("/w", ("make", "all"))}
    found = only(build_layout(state, processes, layout_of(Pane())))
    assert (found.command, found.focus) == (("make", "all"), True)
    # the terminal is not in the manifest: at least no temporary file is opened again
    alone = one_tab(terminal(9, **place))
    assert only(build_layout(alone, processes, layout_of(Pane()))).command == ()


# ------------------------------------------------------------- who is believed


def test_proc_is_believed_before_events_and_events_before_the_dump() -> None:
    dump = layout_of(Pane(cwd="/dump", command=("dumped",)))
    events: dict[str, Any] = {
        "cwds": {1: "/event"},
        "commands": {1: Command(argv=("told",), foreground=True)},
    }
    state = one_tab(terminal(1), **events)
    proc = {1: Process("/proc-cwd", ("run", "it"))}
    assert only(build_layout(state, proc, dump)).command == ("run", "it")
    assert only(build_layout(state, {1: Process("", ())}, dump)).cwd == "/event"
    assert only(build_layout(state, {1: Process("/x", ())}, dump)).command == ()
    assert only(build_layout(state, {}, dump)).command == ("told",)
    idle = one_tab(terminal(1), commands={1: Command(argv=("bash",), foreground=False)})
    assert only(build_layout(idle, {}, dump)).command == ()
    assert only(build_layout(one_tab(terminal(1)), {}, dump)).command == ("dumped",)
    assert only(build_layout(one_tab(terminal(1)), {}, dump)).cwd == "/dump"


def test_a_command_that_ended_is_kept_with_its_words() -> None:
    dump = layout_of(Pane(cwd="/w", command=("make", "a b")))
    held = terminal(1, held=True, exit_status=2, command="make a b")
    found = only(build_layout(one_tab(held), {}, dump))
    assert (found.command, found.exited) == (("make", "a b"), True)


def test_a_suspended_command_is_not_one_that_ended() -> None:
    dump = layout_of(Pane(cwd="/w", command=("make", "a b")))
    found = only(build_layout(one_tab(terminal(1, held=True, command="make a b")), {}, dump))
    assert (found.command, found.exited) == (("make", "a b"), False)


def test_what_a_dump_makes_of_a_waiting_editor_is_undone() -> None:
    """Zellij dumps a waiting `vim 'a b'` as `edit`, without its folder (seen in 0.45.1)."""
    dump = parse_dump('layout { cwd "/common"; tab name="work" { pane edit="a b"; }; }')
    state = one_tab(terminal(1, held=True, command="vim a b"))
    previous = layout_of(Pane(cwd="/w", command=("vim", "a b")))
    found = only(build_layout(state, {}, dump, previous))
    assert (found.cwd, found.command) == ("/w", ("vim", "a b"))
    assert only(build_layout(state, {}, dump)).command == ("vim", "a", "b")


def test_a_name_is_only_what_the_user_gave() -> None:
    state = one_tab(terminal(1, y=0, title="new name"), terminal(2, y=10, title="vim ~/x"))
    built = build_layout(state, {}, layout_of(Pane(name="old name"), Pane()))
    assert built is not None
    assert [pane.name for pane in terminals(built.tabs[0])] == ["new name", ""]


def test_redacted_stays_only_while_it_is_the_same_command() -> None:
    previous = layout_of(Pane(cwd="/w", command=("curl", "…"), redacted=True))
    state = one_tab(terminal(1))
    assert only(update_layout(previous, state, {})).redacted
    assert not only(update_layout(previous, state, {1: Process("/w", ("ls",))})).redacted


def test_floating_panes_have_the_manifests_place_and_the_dumps_name() -> None:
    dump = layout_of(
        Pane(),
        floating=(
            Pane(name="one", frame=Frame(x="5", y="6", width="40%", height="10")),
            Pane(frame=Frame(x="9", y="9", pinned=True)),
        ),
    )
    state = one_tab(
        terminal(1),
        terminal(8, is_floating=True, x=9, y=9),
        terminal(7, is_floating=True, x=5, y=6, title="one", focused=True),
        terminal(6, is_floating=True, x=1, y=2, command="htop"),
    )
    built = build_layout(state, {7: Process("/f", ())}, dump)
    assert built is not None
    one, two, new = built.tabs[0].floating
    assert (one.name, one.cwd, one.focus) == ("one", "/f", True)
    assert one.frame == Frame(x="5", y="6", width="20", height="10")
    assert two.frame == Frame(x="9", y="9", width="20", height="10", pinned=True)
    assert new.command == ("htop",)
    assert built.tabs[0].hide_floating


# ------------------------------------------------------------- windows that are left out


@pytest.mark.parametrize(
    ("location", "floating", "left_out"),
    [
        ("file:/home/x/zdriver.wasm", True, True),
        ("zdriver", True, True),
        ("file:/home/x/zdriver.wasm", False, False),
        ("zellij:session-manager", True, True),
        ("session-manager", False, True),
        ("zellij:about", True, True),
        ("zellij:tab-bar", False, False),
        ("zellij:strider", True, False),
        ("file:/x/mine.wasm", True, False),
    ],
)
def test_windows_that_are_left_out(location: str, floating: bool, left_out: bool) -> None:
    assert is_popup(location, floating=floating) is left_out
    assert is_own("file:/x/mine.wasm") is False


def test_the_prompt_is_left_out_and_the_status_line_stays() -> None:
    own = Plugin(location="file:/d/zdriver.wasm", configuration={"view": "status"})
    dump = layout_of(
        Pane(), Pane(plugin=own, size="1"), floating=(Pane(plugin=own, frame=Frame(x="1", y="1")),)
    )
    url = "file:/d/zdriver.wasm"
    state = one_tab(
        terminal(1),
        PaneState(tab=0, id=1, is_plugin=True, y=20, rows=1, plugin_url=url),
        PaneState(tab=0, id=2, is_plugin=True, is_floating=True, x=1, y=1, plugin_url=url),
        PaneState(tab=0, id=3, is_plugin=True, is_suppressed=True, plugin_url=url),
    )
    built = build_layout(state, {}, dump)
    assert built is not None
    assert built.tabs[0].floating == ()
    assert [pane.plugin for pane in leaves(built.tabs[0].tiled)] == [None, own]
    assert update_layout(built, state, {}) == built


# ------------------------------------------------------------- nothing usable


@pytest.mark.parametrize(
    ("state", "dump"),
    [
        (State(), layout_of(Pane())),
        (one_tab(), layout_of(Pane())),
        (one_tab(terminal(1)), None),
        (one_tab(terminal(1)), Layout()),
        (one_tab(terminal(1), terminal(2, y=10)), layout_of(Pane())),
        (one_tab(terminal(1)), layout_of(Pane(), Pane())),
        (one_tab(terminal(1)), layout_of(BAR)),
        (one_tab(PaneState(tab=0, id=1, is_plugin=True, plugin_url="tab-bar")), layout_of(BAR)),
        (
            one_tab(PaneState(tab=0, id=1, is_plugin=True, plugin_url="zellij:session-manager")),
            layout_of(Pane(plugin=Plugin(location="zellij:session-manager"))),
        ),
    ],
)
def test_an_empty_or_broken_state_gives_nothing(state: State, dump: Layout | None) -> None:
    assert build_layout(state, {}, dump) is None


def test_without_a_dump_a_changed_structure_gives_nothing() -> None:
    side_by_side = layout_of(Split(direction="vertical", children=(Pane(), Pane())))
    below = one_tab(terminal(1, y=0), terminal(2, y=10))
    beside = one_tab(terminal(1, x=0), terminal(2, x=20))
    assert update_layout(side_by_side, below, {}) is None
    assert update_layout(side_by_side, beside, {}) is not None
    assert update_layout(side_by_side, one_tab(terminal(1)), {}) is None
    floating = one_tab(terminal(1, x=0), terminal(2, x=20), terminal(3, is_floating=True))
    assert update_layout(side_by_side, floating, {}) is None


# ------------------------------------------------------------- the fixpoint


@given(layouts(), st.integers(0, 9))
def test_captured_restored_and_captured_again_is_the_same(layout: Layout, seed: int) -> None:
    layout = without_own_windows(as_cells(normalise(layout)))
    if not any(terminals(tab) for tab in layout.tabs):
        return
    restored = parse_layout(render_layout(layout))
    screen = Screen(restored)
    again = build_layout(screen.state(seed), screen.processes, parse_dump(as_dump(restored)))
    assert again is not None
    assert digest(again) == digest(layout)
