"""A layout file becomes one tab in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdriver.context.layout import Pane, terminals
from zdriver.core.errors import InvalidInput, NotFound
from zdriver.zellij.kdl import parse_layout
from zdriver.zellij.kdl_nodes import parse_nodes
from zdriver.zellij.setup import LAYOUTS, layout_text
from zdriver.zellij.tablayout import one_tab, read_layout


def environ(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "ZELLIJ_CONFIG_DIR": str(folder / "zellij")}


def panes(kdl: str) -> list[Pane]:
    (tab,) = parse_layout(kdl).tabs
    return list(terminals(tab))


@pytest.mark.parametrize("name", LAYOUTS)
def test_our_layouts_become_one_tab_with_its_bars_and_arrangements(name: str) -> None:
    kdl = one_tab(layout_text(name), name="feat-x", path="/w/feat-x")
    layout = parse_layout(kdl)
    assert [(tab.name, tab.focus) for tab in layout.tabs] == [("feat-x", True)]
    assert {pane.cwd for pane in panes(kdl)} == {"/w/feat-x"}
    (root,) = parse_nodes(kdl)
    kinds = [child.name for child in root.children]
    assert kinds.index("tab_template") < kinds.index("tab"), "a template stands before its use"
    assert {"default_tab_template", "swap_tiled_layout", "swap_floating_layout"} <= set(kinds)


def test_panes_without_a_tab_are_the_tab() -> None:
    text = """layout split_direction="vertical" {
        cwd "/elsewhere"
        pane command="vim"
        pane cwd="sub"
        floating_panes { pane; }
    }"""
    kdl = one_tab(text, name="x", path="/w")
    assert [pane.cwd for pane in panes(kdl)] == ["/w", "/w/sub", "/w"]
    (root,) = parse_nodes(kdl)
    (tab,) = root.children
    assert tab.properties["split_direction"] == "vertical"


def test_a_layout_without_panes_has_one() -> None:
    assert [pane.cwd for pane in panes(one_tab("layout {}", name="x", path="/w"))] == ["/w"]


@pytest.mark.parametrize("text", ["a$HOME b", '"quoted"', "日本 \\ tab\tline\n", "-dash", "~tilde"])
def test_any_name_and_path_is_taken_as_it_is(text: str) -> None:
    kdl = one_tab(layout_text("zdriver-agent"), name=text, path=f"/w/{text}")
    (tab,) = parse_layout(kdl).tabs
    assert tab.name == text
    assert {pane.cwd for pane in panes(kdl)} == {f"/w/{text}"}


@pytest.mark.parametrize("text", ["", "pane", "layout {", "layout { pane"])
def test_what_is_no_layout_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        one_tab(text, name="x", path="/w")


def test_a_layout_is_found_as_zellij_finds_it(tmp_path: Path) -> None:
    env = environ(tmp_path)
    assert read_layout("zdriver-agent", env) == layout_text("zdriver-agent"), "ours is always there"
    layouts = tmp_path / "zellij" / "layouts"
    layouts.mkdir(parents=True)
    (layouts / "zdriver-agent.kdl").write_text("layout { pane; }")
    assert read_layout("zdriver-agent", env) == "layout { pane; }", "the user's own goes before"
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.kdl").write_text("layout {}")
    assert read_layout(str(own / "mine.kdl"), env) == "layout {}"
    (tmp_path / "zellij" / "config.kdl").write_text(f'layout_dir "{own}"')
    assert read_layout("mine", env) == "layout {}"
    with pytest.raises(NotFound, match="nowhere"):
        read_layout("nowhere", env)
