"""What `render_layout` writes is what Zellij's own parser reads, and what it dumps is what we read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Zellij
from zdriver.context.comparing import compare
from zdriver.context.layout import Frame, Layout, Pane, Plugin, Split, Tab, terminals
from zdriver.testing import Home
from zdriver.zellij.kdl import parse_dump, render_layout

#: As tab names, pane names, folders and arguments. `$UNDEFINED` alone makes Zellij refuse a layout.
NASTY = (
    'a "q" \\ b',
    "tab\there",
    "new\nline",
    "🦀 é $HOME ${UNDEFINED} $$",
    "control\x1b[31m\x07",
    "~",
    '{}();=_-__r#"',
    "\u2028\u0085",
    "  lead",
)
BAR = Pane(plugin=Plugin(location="zellij:tab-bar"), size="1", borderless=True)


@pytest.fixture
def home() -> Iterator[Home]:
    """Zellij without the plugin."""
    with Home() as made:
        made.write_config(plugin=False)
        yield made


def layout(folder: Path) -> Layout:
    places = []
    for name in NASTY:
        (folder / name).mkdir()
        places.append(str(folder / name))
    q, tab, line, dollar, control, tilde, kdl, separators, lead = places
    right = (
        Pane(name=NASTY[3], cwd=dollar, command=("./s$leep", "$x", "", *NASTY), size="30%"),
        Pane(cwd=q, size="70%"),
    )
    mixed = Tab(
        name=NASTY[0],
        focus=True,
        tiled=(
            BAR,
            Split(
                direction="vertical",
                children=(
                    Pane(name=NASTY[1], cwd=tab, size="37%", focus=True),
                    Split(size="63%", children=right),
                ),
            ),
        ),
        floating=(
            Pane(
                name=NASTY[4],
                cwd=line,
                command=("./we$ird ~",),
                frame=Frame(x="10", y="5", width="60", height="10", pinned=True),
            ),
        ),
        hide_floating=True,
    )
    stack = (Pane(name="1", cwd=control), Pane(name="2", cwd=tilde, expanded=True), Pane(cwd=kdl))
    stacked = Tab(name=NASTY[2], tiled=(BAR, Split(stacked=True, children=stack)))
    last = Tab(
        name=NASTY[8], tiled=(Pane(cwd=separators, size="20%"), Pane(name=NASTY[6], cwd=lead, size="80%"))
    )
    return Layout(tabs=(mixed, stacked, last))


def dumped(zellij: Zellij, made: Layout, folder: Path, session: str) -> Layout:
    """`made`, opened in Zellij and dumped again."""
    file = folder / f"{session}.kdl"
    file.write_text(render_layout(made))
    opened = zellij.start(session, cwd=folder, layout=file)
    opened.wait_panes(sum(len(terminals(tab)) for tab in made.tabs))
    return parse_dump(opened.dump_layout())


def test_zellij_takes_any_text_and_its_dump_is_a_fixpoint(home: Home, zellij: Zellij) -> None:
    planned = layout(home.path)
    first = dumped(zellij, planned, home.path, "first")
    # A dump knows no focus in tabs that nobody looks at: there the plugin's manifest is asked
    assert [each for each in compare(planned, first) if each.field != "focus"] == []
    second = dumped(zellij, first, home.path, "second")
    assert compare(first, second) == ()
    assert second.tail == first.tail
