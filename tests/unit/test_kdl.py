"""Zellij's layout language, both ways."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.layout_strategies import TAIL, layouts, names, paths
from zdriver.context.comparing import digest, normalise
from zdriver.context.layout import Frame, Layout, Pane, Plugin, Split, Tab, leaves, terminals
from zdriver.core.errors import InvalidInput
from zdriver.zellij.kdl import parse_dump, parse_layout, render_layout
from zdriver.zellij.kdl_nodes import TEXT_MAX, parse_nodes, write_nodes

#: As zellij 0.45.1 dumps a session with splits, a stack, floating panes and a user's template.
DUMP = r"""
layout {
    cwd "/home/dev/my project"
    tab name="Tab \"one\"" focus=true hide_floating_panes=true {
        pane size=1 borderless=true {
            plugin location="zellij:tab-bar"
        }
        pane split_direction="vertical" {
            pane name="ed\\itor" cwd="src" focus=true size="37%"
            pane size="63%" stacked=true {
                pane command="vim" cwd="/tmp/$HOME" {
                    args "a file" "-u" "NO\tNE"
                    start_suspended true
                }
                pane expanded=true
            }
        }
        pane size=1 borderless=true {
            plugin location="file:/data/zdriver.wasm" {
                view "status"
            }
        }
        floating_panes {
            pane command="htop" {
                start_suspended true
                height 20
                width "50%"
                x 10
                y 0
                pinned true
            }
        }
    }
    tab name="second" {
        pane edit="notes.md"
    }
    new_tab_template {
        pane size=1 borderless=true {
            plugin location="zellij:tab-bar"
        }
        pane cwd="lib"
    }
    swap_tiled_layout name="vertical" {
        tab max_panes=5 {
            pane split_direction="vertical" {
                pane
                pane {
                    children
                }
            }
        }
    }
    swap_floating_layout {
        floating_panes exact_panes=1 {
            pane {
                x "1%"
            }
        }
    }
}
"""


def test_a_dump_is_read_whole() -> None:
    layout = parse_dump(DUMP, editor="nvim")
    first, second = layout.tabs
    assert (first.name, first.focus, first.hide_floating) == ('Tab "one"', True, True)
    bar, middle, status = first.tiled
    assert bar == Pane(plugin=Plugin(location="zellij:tab-bar"), size="1", borderless=True)
    assert isinstance(status, Pane)
    assert status.plugin == Plugin(location="file:/data/zdriver.wasm", configuration={"view": "status"})
    assert isinstance(middle, Split)
    assert middle.direction == "vertical"
    editor, stack = middle.children
    assert editor == Pane(name="ed\\itor", cwd="/home/dev/my project/src", focus=True, size="37%")
    assert stack == Split(
        stacked=True,
        size="63%",
        children=(
            Pane(cwd="/tmp/$HOME", command=("vim", "a file", "-u", "NO\tNE")),
            Pane(cwd="/home/dev/my project", expanded=True),
        ),
    )
    frame = Frame(x="10", y="0", width="50%", height="20", pinned=True)
    assert first.floating == (Pane(cwd="/home/dev/my project", command=("htop",), frame=frame),)
    assert second.tiled == (
        Pane(cwd="/home/dev/my project", command=("nvim", "/home/dev/my project/notes.md")),
    )


def test_templates_and_swap_layouts_are_kept_by_meaning() -> None:
    tail = parse_dump(DUMP).tail
    assert tail.startswith("new_tab_template {")
    assert 'pane cwd="/home/dev/my project/lib"' in tail
    assert "swap_floating_layout {" in tail
    again = parse_layout(render_layout(parse_dump(DUMP)))
    assert again.tail == tail


@given(layouts())
def test_what_is_written_is_read_back(layout: Layout) -> None:
    read = parse_layout(render_layout(layout))
    assert normalise(read) == normalise(layout)
    assert digest(read) == digest(layout)
    # and once more: a fixpoint
    assert render_layout(read) == render_layout(layout)


@given(names, paths)
def test_any_text_survives_as_a_string(name: str, cwd: str) -> None:
    layout = Layout(tabs=(Tab(name=name, tiled=(Pane(name=name, cwd=cwd),)),))
    read = parse_layout(render_layout(layout))
    assert (read.tabs[0].name, terminals(read.tabs[0])[0].cwd) == (name, cwd)


def test_a_dollar_is_escaped_for_zellij_but_not_read_as_one_from_a_dump() -> None:
    layout = Layout(tabs=(Tab(tiled=(Pane(cwd="/a/$x/${y}", command=("./$z", "$z")),)),))
    text = render_layout(layout)
    assert 'cwd="/a/$$x/$${y}"' in text
    assert 'command="./$$z"' in text
    assert 'args "$z"' in text
    assert parse_layout(text).tabs[0].tiled == layout.tabs[0].tiled
    dumped = 'layout { tab { pane cwd="/a/$$x"; } }'
    assert leaves(parse_dump(dumped).tabs[0].tiled)[0].cwd == "/a/$$x"


def test_what_kdl_cannot_hold_is_replaced() -> None:
    layout = Layout(tabs=(Tab(tiled=(Pane(name="a\0b\udc80", cwd="/"),)),))
    (pane,) = terminals(parse_layout(render_layout(layout)).tabs[0])
    assert pane.name == "a\ufffdb\ufffd"


def test_actions_decide_what_a_pane_starts_with() -> None:
    command = ("sleep", "9")
    panes = tuple(Pane(cwd="/", command=command) for _ in range(3))
    layout = Layout(tabs=(Tab(tiled=panes),))
    text = render_layout(layout, actions={(0, 0): "run", (0, 1): "suspended", (0, 2): "shell"})
    read = leaves(parse_layout(text).tabs[0].tiled)
    assert [pane.command for pane in read] == [(), command, ()]
    assert text.count("start_suspended true") == 1


def test_only_one_tab_is_focused_and_stacks_hold_only_panes() -> None:
    inner = Split(direction="vertical", children=(Pane(cwd="/a", size="5"), Pane(cwd="/b")))
    stack = Split(stacked=True, children=(Pane(cwd="/c", size="50%", expanded=True), inner))
    layout = Layout(tabs=(Tab(focus=True, tiled=(stack,)), Tab(focus=True, tiled=(Pane(expanded=True),))))
    read = parse_layout(render_layout(layout))
    assert [tab.focus for tab in read.tabs] == [True, False]
    (found,) = read.tabs[0].tiled
    assert isinstance(found, Split)
    assert found.children == (Pane(cwd="/c", expanded=True), Pane(cwd="/a"), Pane(cwd="/b"))
    assert "expanded" not in render_layout(read).split("tab")[-1]


def test_sizes_that_zellij_refuses_are_left_out() -> None:
    sizes = ("0", "0%", "101%", "-1", "5.5", "", "five", "٣")
    layout = Layout(tabs=(Tab(tiled=tuple(Pane(cwd="/", size=size) for size in sizes)),))
    assert "size" not in render_layout(layout)


LAYOUT_FILE = """
layout {
    pane_template name="log" {
        command "tail"
        args "-f" "/var/log/a"
        start_suspended true
    }
    pane_template name="pair" split_direction="vertical" {
        pane name="left"
        children
    }
    default_tab_template {
        pane size=1 borderless=true { plugin location="zellij:compact-bar"; }
        children
    }
    tab_template name="plain" {
        children
        floating_panes { pane; }
    }
    tab name="work" split_direction="vertical" { log; log name="b" { args "-f" "b"; }; }
    plain name="second" { pair { pane name="right"; }; }
    swap_tiled_layout name="v" { tab max_panes=3 { pane { children; }; }; }
}
"""


def test_a_users_layout_with_templates() -> None:
    layout = parse_layout(LAYOUT_FILE, base="/w")
    work, second = layout.tabs
    bar, panes = work.tiled
    assert isinstance(bar, Pane)
    assert bar.plugin == Plugin(location="zellij:compact-bar")
    assert isinstance(panes, Split)
    assert panes.direction == "vertical"
    assert leaves(panes.children) == [
        Pane(cwd="/w", command=("tail", "-f", "/var/log/a")),
        Pane(cwd="/w", name="b", command=("tail", "-f", "b")),
    ]
    assert [pane.name for pane in leaves(second.tiled)] == ["left", "right"]
    assert len(second.floating) == 1
    assert layout.tail.startswith("swap_tiled_layout")
    assert layout.tail.count("compact-bar") == 2  # in the swap layout and in later tabs
    assert "new_tab_template" in layout.tail
    assert normalise(parse_layout(render_layout(layout))) == normalise(layout)


def test_panes_without_tabs_are_one_tab() -> None:
    layout = parse_layout('layout split_direction="vertical" cwd="/x" { pane; pane cwd="y"; }')
    (tab,) = layout.tabs
    assert [pane.cwd for pane in leaves(tab.tiled)] == ["/x", "/x/y"]
    assert isinstance(tab.tiled[0], Split)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no `layout` node"),
        ("layout {", "not KDL"),
        ('layout { tab name="\\u{d800}"; }', "not KDL"),
        ('tab "\ud800"', "not KDL"),
        ('layout { tab name="\\u{0}"; }', "NUL"),
        ("layout {\n" * 200 + "}\n" * 200, "nested"),
        ("a\n" * 60_000, "more than"),
        ("layout { " + "pane;" * 3_000 + "}", "panes"),
        ("x " + "9" * 100_000, "digits"),
        (" " * (TEXT_MAX + 1), "characters"),
        ('layout { pane_template name="a" { b; }; pane_template name="b" { a; }; a; }', "templates"),
        (
            'layout { pane_template name="a" { children; children; }; a { pane; }; }',
            "more than one `children`",
        ),
    ],
)
def test_what_cannot_be_read_is_invalid_input_of_one_line(text: str, part: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_dump(text)
    assert part in raised.value.message
    assert "\n" not in raised.value.message


def test_templates_in_templates_do_not_explode() -> None:
    levels = "".join(f'pane_template name="t{n}" {{ ' + f"t{n - 1};" * 8 + " };" for n in range(1, 12))
    with pytest.raises(InvalidInput):
        parse_dump('layout { pane_template name="t0" { pane; };' + levels + " t11; }")


def test_a_long_number_in_a_name_is_no_number() -> None:
    name = "9" * 1_000
    assert parse_dump(f'layout {{ tab name="{name}"; }}').tabs[0].name == name


_PIECES = [
    "layout",
    "tab",
    "pane",
    "{",
    "}",
    ";",
    "\n",
    '"',
    "=",
    "name",
    "cwd",
    "size",
    "children",
    "plugin",
]
_PIECES += [
    "floating_panes",
    "args",
    "(u8)",
    "1e999",
    "-",
    "0x",
    "null",
    "true",
    "/-",
    "/*",
    "\\",
    "r#",
    "stacked",
]
_PIECES += [
    "pane_template",
    "default_tab_template",
    "new_tab_template",
    "swap_tiled_layout",
    "command",
    "edit",
]
hostile = st.one_of(
    st.lists(st.sampled_from(_PIECES), max_size=40).map(" ".join),
    st.lists(st.sampled_from(_PIECES), max_size=40).map(" ".join).map(lambda text: f"layout {{ {text} }}"),
    st.text(max_size=60),
    st.integers(0, len(DUMP)).map(lambda at: DUMP[:at]),
    st.tuples(st.integers(0, len(DUMP)), st.text(max_size=3)).map(
        lambda cut: DUMP[: cut[0]] + cut[1] + DUMP[cut[0] + 1 :]
    ),
)


@given(hostile)
def test_hostile_text_is_read_or_refused(text: str) -> None:
    try:
        layout = parse_dump(text)
    except InvalidInput:
        return
    assert normalise(parse_layout(render_layout(layout))) == normalise(layout)


def test_a_tail_is_stable() -> None:
    assert "".join(write_nodes(parse_nodes(TAIL))) == TAIL


def test_sixty_panes() -> None:
    columns = tuple(
        Split(size="10%", children=tuple(Pane(name=f"p{x}.{y}", cwd=f"/w/{y}") for y in range(6)))
        for x in range(10)
    )
    layout = Layout(tabs=(Tab(focus=True, tiled=(Split(direction="vertical", children=columns),)),))
    assert normalise(parse_layout(render_layout(layout))) == normalise(layout)


def test_an_empty_layout() -> None:
    assert parse_layout(render_layout(Layout())) == Layout()
    assert msgspec.json.decode(msgspec.json.encode(Layout()), type=Layout) == Layout()
