"""Zellij's layout language ↔ our own `Layout`.

    parse_dump(text, base="", editor="vi") -> Layout       what Zellij wrote: a session's dump
    parse_layout(text, base="", editor="vi") -> Layout     what a person or `render_layout` wrote
    render_layout(layout, actions=…) -> str                for override_layout and new tabs

Source of the format: zellij-utils 0.45.1, `session_serialization.rs` (what is dumped) and
`kdl/kdl_layout_parser.rs` (what is read). Two things there that one trips over:

- A dump writes `cwd`, `command` and `edit` as they are, but the parser sends them through
  shell expansion: an undefined `$name` makes it refuse the whole layout. So they are written
  with `$$`, and `parse_layout` reads `$$` back; `parse_dump` takes a `$` as a `$`.
- A relative `cwd` counts from the tab's `cwd`, and that from the layout's.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from functools import lru_cache

from zdriver.context.layout import Frame, Layout, Pane, Plugin, Split, Tab
from zdriver.context.model import Action
from zdriver.core.errors import InvalidInput
from zdriver.zellij.kdl_nodes import Node, Value, parse_nodes, write_nodes
from zdriver.zellij.kdl_templates import expand

PANES_MAX = 2_000

_TAIL = frozenset({"new_tab_template", "swap_tiled_layout", "swap_floating_layout"})
_EXPANDED = ("cwd", "command", "edit")
_RESERVED_BY_PLUGINS = frozenset({"location", "path", "_allow_exec_host_cmd"})
_SIZE = re.compile(r"[0-9]{1,9}%?\Z", re.ASCII)


def parse_dump(text: str, *, base: str = "", editor: str = "vi") -> Layout:
    """The session in a dump (`dump_session_layout`, `session-layout.kdl`).

    base    absolute path that relative ones count from when the dump names none
    editor  what an `edit` pane runs: the dump has only the file

    Raises InvalidInput.
    """
    return _read(text, base, editor, dollars=False)


def parse_layout(text: str, *, base: str = "", editor: str = "vi") -> Layout:
    """The same for a layout file: `$$` is a `$`. Other variables stay as written."""
    return _read(text, base, editor, dollars=True)


def _read(text: str, base: str, editor: str, *, dollars: bool) -> Layout:
    root = next((node for node in parse_nodes(text) if node.name == "layout"), None)
    if root is None:
        raise InvalidInput("the layout has no `layout` node", hint="give a layout in Zellij's format")
    root = expand(root)
    reader = _Reader(editor, dollars)
    cwd = _join(base, reader.path(root, "cwd"))
    tabs = [reader.tab(node, cwd) for node in root.children if node.name == "tab"]
    if not tabs and any(node.name in ("pane", "floating_panes") for node in root.children):
        tabs = [reader.tab(root, cwd)]
    tail = [reader.portable(node, cwd) for node in root.children if node.name in _TAIL]
    return Layout(tabs=tuple(tabs), tail="".join(write_nodes(tail)))


class _Reader:
    """Reads expanded nodes. Counts panes, so that a small text cannot become a huge layout."""

    def __init__(self, editor: str, dollars: bool) -> None:
        self.editor = editor
        self.dollars = dollars
        self.panes = 0

    def path(self, node: Node, name: str) -> str:
        text = node.text(name)
        return text.replace("$$", "$") if self.dollars else text

    def tab(self, node: Node, cwd: str) -> Tab:
        cwd = _join(cwd, self.path(node, "cwd")) if node.name == "tab" else cwd
        tiled = tuple(self.pane(child, cwd) for child in node.children if child.name == "pane")
        if node.text("split_direction").lower() == "vertical" and tiled:
            tiled = (Split(direction="vertical", children=tiled),)
        floating = tuple(
            self.floating(child, cwd)
            for layer in node.children
            if layer.name == "floating_panes"
            for child in layer.children
            if child.name == "pane"
        )
        return Tab(
            name=node.text("name"),
            focus=node.flag("focus"),
            # Zellij makes one shell in a tab that names no pane, and leaves it out of a dump
            tiled=tiled or (Pane(cwd=cwd),),
            floating=floating,
            hide_floating=node.flag("hide_floating_panes"),
        )

    def pane(self, node: Node, cwd: str) -> Pane | Split:
        kids = [child for child in node.children if child.name == "pane"]
        if not kids:
            return self.leaf(node, cwd, None)
        cwd = _join(cwd, self.path(node, "cwd"))
        vertical = node.text("split_direction").lower() == "vertical"
        return Split(
            direction="vertical" if vertical else "horizontal",
            stacked=node.flag("stacked") and not vertical,
            size=_size(node.value("size")),
            children=tuple(self.pane(child, cwd) for child in kids),
        )

    def floating(self, node: Node, cwd: str) -> Pane:
        return self.leaf(node, cwd, self.frame(node))

    @staticmethod
    def frame(node: Node) -> Frame:
        return Frame(
            x=_size(node.value("x"), zero=True),
            y=_size(node.value("y"), zero=True),
            width=_size(node.value("width")),
            height=_size(node.value("height")),
            pinned=node.flag("pinned"),
        )

    def leaf(self, node: Node, cwd: str, frame: Frame | None) -> Pane:
        self.panes += 1
        if self.panes > PANES_MAX:
            raise InvalidInput(f"the layout has more than {PANES_MAX} panes")
        plugin = self.plugin(node)
        cwd = _join(cwd, self.path(node, "cwd"))
        return Pane(
            name=node.text("name"),
            cwd="" if plugin else cwd,
            command=() if plugin else self.command(node, cwd),
            plugin=plugin,
            size=None if frame else _size(node.value("size")),
            focus=node.flag("focus"),
            borderless=node.flag("borderless"),
            expanded=node.flag("expanded") and frame is None,
            frame=frame,
        )

    def command(self, node: Node, cwd: str) -> tuple[str, ...]:
        if edit := self.path(node, "edit"):
            return (self.editor, _join(cwd, edit))
        if not (command := self.path(node, "command")):
            return ()
        args = node.child("args")
        return (command, *(str(arg) for arg in (args.args if args else ())))

    @staticmethod
    def plugin(node: Node) -> Plugin | None:
        found = node.child("plugin")
        if found is None or not (location := found.text("location")):
            return None
        entries = {key: _setting(value) for key, value in found.properties.items()}
        for child in found.children:
            if child.args:
                entries[child.name] = _setting(child.args[0])
            elif child.children:
                entries[child.name] = "".join(write_nodes(child.children)).strip()
        kept = {key: value for key, value in entries.items() if key not in _RESERVED_BY_PLUGINS}
        return Plugin(location=location, configuration=kept)

    def portable(self, node: Node, cwd: str) -> Node:
        """`node` for a layout without a `cwd` of its own: paths absolute, `$` escaped."""
        properties = dict(node.properties)
        children = [self.portable(child, cwd) for child in node.children]
        for name in _EXPANDED:
            if isinstance(node.properties.get(name), str):
                properties[name] = _dollars(self._absolute(self.path(node, name), name, cwd))
        if node.name in _EXPANDED and node.args and isinstance(node.args[0], str):
            text = node.args[0].replace("$$", "$") if self.dollars else node.args[0]
            args: list[Value] = [_dollars(self._absolute(text, node.name, cwd))]
            return Node(node.name, args, properties, children)
        return Node(node.name, node.args, properties, children)

    @staticmethod
    def _absolute(text: str, name: str, cwd: str) -> str:
        return _join(cwd, text) if name == "cwd" else text


def _join(cwd: str, path: str) -> str:
    if not path:
        return cwd
    joined = posixpath.join(cwd, path)
    return joined.rstrip("/") or "/"


# typed: 1 and True are the same key otherwise
@lru_cache(maxsize=1024, typed=True)
def _size(value: Value, *, zero: bool = False) -> str | None:
    """Cells or per cent as Zellij accepts them, else None."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    if not _SIZE.match(text):
        return None
    number = int(text.rstrip("%"))
    if text.endswith("%") and number > 100:
        return None
    if number == 0 and not zero:
        return None
    return f"{number}%" if text.endswith("%") else str(number)


def _setting(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "null" if value is None else repr(value)


def _dollars(text: str) -> str:
    return text.replace("$", "$$")


# ---------------------------------------------------------------- writing

#: What shall become of a terminal pane, by (position of its tab, index among its terminals).
Actions = Mapping[tuple[int, int], Action]

_TYPED: frozenset[Action] = frozenset({"run", "resume", "shell"})


def render_layout(
    layout: Layout, *, actions: Actions | None = None, contents: Mapping[str, str] | None = None
) -> str:
    """KDL that Zellij accepts, for any `layout`. Never raises for one that was parsed or captured.

    A pane with a command becomes `command=… start_suspended true`; one whose action is run,
    resume or shell becomes a plain shell (the command is typed into it afterwards).
    `contents` has, by `Pane.contents`, the absolute path of the file that fills a pane.
    """
    writer = _Writer(actions or {}, contents or {})
    focused = next((at for at, tab in enumerate(layout.tabs) if tab.focus), None)
    tabs = [writer.tab(at, tab, at == focused) for at, tab in enumerate(layout.tabs)]
    text = "".join(write_nodes(tabs, 1))
    tail = "".join(write_nodes(parse_nodes(layout.tail), 1)) if layout.tail else ""
    return "layout {\n" + text + tail + "}\n"


class _Writer:
    def __init__(self, actions: Actions, contents: Mapping[str, str]) -> None:
        self.actions = actions
        self.contents = contents
        self.tab_index = 0
        self.pane_index = 0

    def tab(self, at: int, tab: Tab, focused: bool) -> Node:
        self.tab_index, self.pane_index = at, 0
        properties: dict[str, Value] = {"name": tab.name} if tab.name else {}
        if focused:
            properties["focus"] = True
        if tab.hide_floating and tab.floating:
            properties["hide_floating_panes"] = True
        children = [self.node(child) for child in tab.tiled]
        if tab.floating:
            children.append(Node("floating_panes", children=[self.pane(pane) for pane in tab.floating]))
        return Node("tab", (), properties, children)

    def node(self, item: Pane | Split, *, in_stack: bool = False) -> Node:
        if isinstance(item, Pane):
            return self.pane(item, in_stack=in_stack)
        properties: dict[str, Value] = {}
        # In a stack Zellij divides the room itself, and refuses splits
        if size := _number(item.size):
            properties["size"] = size
        if item.stacked:
            properties["stacked"] = True
            kids = [self.pane(pane, in_stack=True) for pane in _panes(item.children)]
        else:
            if item.direction == "vertical":
                properties["split_direction"] = "vertical"
            kids = [self.node(child) for child in item.children]
        return Node("pane", (), properties, kids)

    def pane(self, pane: Pane, *, in_stack: bool = False) -> Node:
        properties: dict[str, Value] = {}
        children: list[Node] = []
        if pane.plugin is None:
            self._content(pane, properties, children)
        else:
            children.append(_plugin(pane.plugin))
        if pane.name:
            properties["name"] = pane.name
        if (size := _number(pane.size)) and not in_stack and pane.frame is None:
            properties["size"] = size
        if pane.focus:
            properties["focus"] = True
        if pane.borderless:
            properties["borderless"] = True
        if pane.expanded and in_stack:
            properties["expanded"] = True
        if pane.frame is not None:
            children += _frame(pane.frame)
        return Node("pane", (), properties, children)

    def _content(self, pane: Pane, properties: dict[str, Value], children: list[Node]) -> None:
        action = self.actions.get((self.tab_index, self.pane_index))
        self.pane_index += 1
        if pane.command and pane.command[0] and action not in _TYPED:
            properties["command"] = _dollars(pane.command[0])
            if args := pane.command[1:]:
                children.append(Node("args", args))
            children.append(Node("start_suspended", (True,)))
        if pane.cwd:
            properties["cwd"] = _dollars(pane.cwd)
        if pane.contents in self.contents:
            properties["contents_file"] = self.contents[pane.contents]


def _panes(items: tuple[Pane | Split, ...]) -> list[Pane]:
    return [pane for item in items for pane in ((item,) if isinstance(item, Pane) else _panes(item.children))]


def _number(size: str | None) -> Value:
    """A size as Zellij wants it: an integer of cells, or a string of per cent."""
    found = _size(size) if size is not None else None
    return found if found is None or found.endswith("%") else int(found)


def _plugin(plugin: Plugin) -> Node:
    settings = [
        Node(key, (value,))
        for key, value in plugin.configuration.items()
        if key and key not in _RESERVED_BY_PLUGINS
    ]
    return Node("plugin", (), {"location": plugin.location}, settings)


def _frame(frame: Frame) -> list[Node]:
    nodes = []
    for name, text in (("height", frame.height), ("width", frame.width), ("x", frame.x), ("y", frame.y)):
        found = _size(text, zero=name in "xy") if text is not None else None
        if found is not None:
            nodes.append(Node(name, (found if found.endswith("%") else int(found),)))
    if frame.pinned:
        nodes.append(Node("pinned", (True,)))
    return nodes
