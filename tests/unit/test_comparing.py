"""Whether two layouts are the same to a person, and what differs when they are not."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.layout_strategies import layout_of, layouts
from zdriver.context.capture import change, compare, digest, normalise, same_layout
from zdriver.context.comparing import near
from zdriver.context.layout import Frame, Layout, Pane, Split, Tab


@given(layouts())
def test_normalising_twice_changes_nothing(layout: Layout) -> None:
    once = normalise(layout)
    assert normalise(once) == once
    assert digest(once) == digest(layout)
    assert same_layout(layout, once)
    assert compare(layout, once) == ()


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Layout, Layout]:
    """Two that differ in nothing but sizes, mostly by so little that it is no difference."""

    def nudged(node: Pane | Split) -> Pane | Split:
        size = node.size
        if size is not None and draw(st.booleans()):
            by = draw(st.integers(-1, 1) if draw(st.integers(0, 9)) else st.integers(-9, 9))
            percent = "%" if size.endswith("%") else ""
            size = f"{max(1, int(size.removesuffix('%')) + by)}{percent}"
        if isinstance(node, Pane):
            return msgspec.structs.replace(node, size=size)
        return msgspec.structs.replace(node, size=size, children=tuple(map(nudged, node.children)))

    one = draw(layouts())
    tabs = tuple(msgspec.structs.replace(tab, tiled=tuple(map(nudged, tab.tiled))) for tab in one.tabs)
    return one, msgspec.structs.replace(one, tabs=tabs)


@given(neighbours())
def test_what_is_the_same_has_no_difference(pair: tuple[Layout, Layout]) -> None:
    one, other = pair
    assert change(one, other) == ("none" if same_layout(one, other) else "content")
    if digest(one) == digest(other):
        assert same_layout(one, other)
    if same_layout(one, other):
        assert compare(one, other) == ()


def test_a_row_is_no_change_and_two_are() -> None:
    def sized(size: str) -> Layout:
        return layout_of(Pane(size=size), Pane())

    assert change(sized("50%"), sized("52%")) == "none"
    assert change(sized("50%"), sized("55%")) == "content"
    assert change(sized("10"), sized("11")) == "none"
    assert change(sized("10"), sized("12")) == "content"
    assert change(None, sized("10")) == "content"
    assert not near("10", "10%")
    assert not near("x", "y")


def test_moving_the_focus_is_a_change_of_its_own_kind() -> None:
    one = layout_of(Pane(focus=True), Pane())
    other = layout_of(Pane(), Pane(focus=True))
    assert change(one, other) == "focus"
    assert digest(one) != digest(other)
    stack = [
        layout_of(Split(stacked=True, children=(Pane(expanded=at == 0), Pane(expanded=at == 1))))
        for at in (0, 1)
    ]
    assert change(*stack) == "focus"


def test_scrollback_is_no_change() -> None:
    assert digest(layout_of(Pane(contents="a"))) == digest(layout_of(Pane(contents="b")))


def test_differences_name_the_pane_and_what_differs() -> None:
    planned = layout_of(Pane(name="a", cwd="/x", command=("vim", "f")), Pane(cwd="/y"))
    actual = layout_of(Pane(name="a", cwd="/z"), Pane(cwd="/y"), Pane(cwd="/more"))
    found = compare(planned, actual)
    assert [(each.pane_index, each.field, each.planned, each.actual) for each in found] == [
        (-1, "splits", "--", "---"),
        (0, "cwd", "/x", "/z"),
        (0, "command", "vim f", "a shell"),
        (2, "pane", "none", "there"),
    ]
    two = Layout(tabs=(*planned.tabs, Tab(name="more", tiled=(Pane(),))))
    assert [(each.tab, each.field) for each in compare(two, planned)] == [("more", "tab")]
    moved = layout_of(Pane(size="40%"), Pane(), floating=(Pane(frame=Frame(x="9")),))
    still = layout_of(Pane(size="80%"), Pane(), floating=(Pane(frame=Frame(x="2")),))
    assert [each.field for each in compare(moved, still)] == ["place", "place"]
