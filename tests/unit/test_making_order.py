"""Which new terminal becomes which pane: the order in which Zellij starts the panes of a tab."""

from __future__ import annotations

from zdriver.context.layout import Pane, Plugin, Split, Tab, making_order

A, B, C, D = (Pane(name=name) for name in "abcd")
BAR = Pane(plugin=Plugin(location="zellij:tab-bar"), size="1")


def test_panes_side_by_side_start_in_their_order() -> None:
    assert making_order(Tab(tiled=(A, B, C))) == (0, 1, 2)
    assert making_order(Tab()) == ()


def test_the_first_of_every_child_starts_before_the_others() -> None:
    # as seen in a real Zellij: | a | c |
    #                           | b |   |   is started a, c, b
    left = Split(children=(A, B))
    columns = Split(direction="vertical", children=(left, C))
    assert making_order(Tab(tiled=(columns,))) == (0, 2, 1)
    assert making_order(Tab(tiled=(left, C))) == (0, 2, 1)


def test_bars_take_no_part_and_floating_panes_come_last() -> None:
    columns = Split(direction="vertical", children=(Split(children=(A, B)), Split(children=(C, D))))
    tab = Tab(tiled=(BAR, columns, BAR), floating=(A, B))
    assert making_order(tab) == (0, 2, 1, 3, 4, 5)


def test_deep_splits() -> None:
    inner = Split(children=(A, Split(direction="vertical", children=(B, C))))
    # inner: a, b, c; outer: the first of inner, d, then the rest of inner
    assert making_order(Tab(tiled=(inner, D))) == (0, 2, 3, 1)


def test_equal_panes_are_told_apart_by_their_place() -> None:
    assert making_order(Tab(tiled=(Split(children=(A, A)), A))) == (0, 2, 1)


def test_it_is_always_a_permutation() -> None:
    nodes: tuple[Pane | Split, ...] = (A,)
    for depth in range(12):
        nodes = (Split(children=(*nodes, B)), C, *nodes[: depth % 3])
        order = making_order(Tab(tiled=nodes))
        assert sorted(order) == list(range(len(order)))
