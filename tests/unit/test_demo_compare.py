"""The demo's verdict: what counts as back."""

from __future__ import annotations

import msgspec
import pytest

from zdriver.demo.compare import additional, compare
from zdriver.testing import PaneFact

EDITOR = PaneFact(
    id=1,
    tab="code",
    tab_position=0,
    name="editor",
    x=0,
    y=1,
    columns=60,
    rows=30,
    floating=False,
    focused=True,
    held=False,
    pid=100,
    cwd="/shop",
    argv=("vim", "models.py"),
)
SHELL = msgspec.structs.replace(EDITOR, id=2, name="", x=60, focused=False, argv=("/bin/bash",))
OTHER = msgspec.structs.replace(SHELL, id=3, y=20)


def found(before: list[PaneFact], after: list[PaneFact]) -> list[tuple[str, str]]:
    return [(gone.pane, gone.what) for pair in compare(before, after) for gone in pair.differences]


def test_the_same_panes_are_back_with_other_ids_and_pids() -> None:
    after = [msgspec.structs.replace(pane, id=pane.id + 7, pid=pane.pid + 900) for pane in (SHELL, EDITOR)]
    assert found([EDITOR, SHELL], after) == []
    assert additional([EDITOR, SHELL], after) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"x": 2}, "place"),
        ({"columns": 58}, "place"),
        ({"tab_position": 1}, "tab_position"),
        ({"focused": False}, "focused"),
        ({"cwd": "/"}, "cwd"),
        ({"argv": ("vim",)}, "argv"),
        ({"held": True}, "held"),
        ({"name": "other"}, "pane"),
        ({"tab": "elsewhere"}, "pane"),
        ({"floating": True}, "pane"),
    ],
)
def test_each_thing_that_differs_is_named(change: dict[str, object], what: str) -> None:
    assert found([EDITOR], [msgspec.structs.replace(EDITOR, **change)]) == [('tab "code" · editor', what)]


def test_a_cell_more_or_less_is_no_difference() -> None:
    assert found([EDITOR], [msgspec.structs.replace(EDITOR, x=1, rows=29)]) == []


def test_unnamed_panes_stand_for_the_nearest() -> None:
    assert found([SHELL, OTHER], [OTHER, SHELL]) == []


def test_a_pane_too_many_is_named() -> None:
    assert [gone.pane for gone in additional([EDITOR], [EDITOR, SHELL])] == ['tab "code" · bash']


def test_nothing_back_names_every_pane() -> None:
    assert [what for _, what in found([EDITOR, SHELL], [])] == ["pane", "pane"]
