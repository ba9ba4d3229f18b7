"""Restoring twice changes nothing: which tabs count as there already."""

from __future__ import annotations

from zdriver.context.keeping import kept_tabs, mark, without
from zdriver.context.layout import Layout, Pane, Split, Tab
from zdriver.context.model import PanePlan


def tab(name: str, *commands: str) -> Tab:
    panes = tuple(Pane(cwd="/p", command=tuple(each.split())) for each in commands)
    return Tab(name=name, tiled=(Split(direction="vertical", children=panes),))


def plans(layout: Layout) -> tuple[PanePlan, ...]:
    return tuple(
        PanePlan(tab=tab.name, name="", cwd="/p", command=(), action="shell", reason="a shell",
                 tab_index=at, pane_index=index)
        for at, tab in enumerate(layout.tabs)
        for index, _ in enumerate(tab.tiled[0].children if isinstance(tab.tiled[0], Split) else ())
    )  # fmt: skip


def test_the_same_tabs_are_kept_wherever_they_stand() -> None:
    layout = Layout(tabs=(tab("one", "vim x", ""), tab("two", "top")))
    now = Layout(tabs=(tab("Tab #1", ""), tab("two", "top"), tab("one", "", "vim x")))
    assert kept_tabs(layout, now, set()) == {0, 1}


def test_each_tab_on_the_screen_stands_for_one_only() -> None:
    layout = Layout(tabs=(tab("one", "top"), tab("one", "top")))
    assert kept_tabs(layout, Layout(tabs=(tab("one", "top"),)), set()) == {0}


def test_another_name_folder_or_command_is_another_tab() -> None:
    layout = Layout(tabs=(tab("one", "top"),))
    elsewhere = Tab(name="one", tiled=(Pane(cwd="/q", command=("top",)),))
    now = Layout(tabs=(tab("two", "top"), elsewhere, tab("one", "top", "")))
    assert kept_tabs(layout, now, set()) == frozenset()


def test_a_tab_that_an_earlier_restore_made_is_kept_though_its_command_has_ended() -> None:
    layout = Layout(tabs=(tab("one", "make"), tab("two", "top")))
    assert kept_tabs(layout, Layout(tabs=(tab("one", ""),)), {0}) == {0}


def test_a_tab_made_earlier_does_not_stand_for_its_twin_as_well() -> None:
    layout = Layout(tabs=(tab("one", "top"), tab("one", "top")))
    assert kept_tabs(layout, Layout(tabs=(tab("one", "top"),)), {0}) == {0}


def test_what_is_left_is_counted_anew() -> None:
    layout = Layout(tabs=(tab("one", "top"), tab("two", "", ""), tab("three", "")), tail="tail")
    left, panes = without(layout, plans(layout), {0})
    assert ([each.name for each in left.tabs], left.tail) == (["two", "three"], "tail")
    assert [(each.tab, each.tab_index, each.pane_index) for each in panes] == [
        ("two", 0, 0),
        ("two", 0, 1),
        ("three", 1, 0),
    ]


def test_kept_panes_say_so() -> None:
    layout = Layout(tabs=(tab("one", "top"), tab("two", "")))
    assert [each.action for each in mark(plans(layout), {0})] == ["keep", "shell"]
