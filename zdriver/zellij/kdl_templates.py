"""Templates of a layout file, written out: `pane_template`, `tab_template`, `default_tab_template`.

Zellij's dumps use none of them; a user's own layout does. After `expand` a layout holds
only `pane`, `tab`, `floating_panes`, `new_tab_template` and swap layouts.
"""

from __future__ import annotations

from collections.abc import Sequence

from zdriver.core.errors import InvalidInput
from zdriver.zellij.kdl_nodes import DEPTH_MAX, NODES_MAX, Node

_SWAPS = frozenset({"swap_tiled_layout", "swap_floating_layout"})
_TEMPLATES = frozenset({"pane_template", "tab_template", "default_tab_template"})
_CONTAINER = ("split_direction", "stacked")


def expand(root: Node) -> Node:
    """`root` (the `layout` node) without templates. Raises InvalidInput."""
    if not any(child.name in _TEMPLATES for child in root.children):
        return root
    return _Expander(root).layout(root)


class _Expander:
    def __init__(self, root: Node) -> None:
        self.panes = {node.text("name"): node for node in root.children if node.name == "pane_template"}
        self.tabs = {node.text("name"): node for node in root.children if node.name == "tab_template"}
        self.default_tab = root.child("default_tab_template")
        self.made = 0

    def layout(self, root: Node) -> Node:
        children = []
        for node in root.children:
            if node.name in _TEMPLATES:
                continue
            if node.name == "tab" or node.name in self.tabs:
                children.append(self.tab(node))
            elif node.name in _SWAPS:
                swapped = [self.tab(step) for step in node.children]
                children.append(Node(node.name, node.args, node.properties, swapped))
            else:
                children.append(self.pane(node, 0))
        if self.default_tab is not None and root.child("new_tab_template") is None:
            children.append(self.tab(Node("new_tab_template"), self.default_tab))
        return Node(root.name, root.args, root.properties, children)

    def tab(self, node: Node, template: Node | None = None) -> Node:
        """A tab (or one step of a swap layout), with its template filled in."""
        name = node.name
        if template is None:
            template = self.tabs.get(name) or (self.default_tab if name == "tab" else None)
        if name in self.tabs:
            name = "tab"
        own = [self.pane(child, 0) for child in node.children]
        if template is None:
            return Node(name, node.args, node.properties, own)
        tiled = [child for child in own if child.name != "floating_panes"]
        floating = [child for child in own if child.name == "floating_panes"]
        wrapped = _wrap(node, tiled)
        kids = _fill([self.pane(child, 0) for child in template.children], wrapped)
        inherited = {key: value for key, value in template.properties.items() if key in _CONTAINER}
        properties = {key: value for key, value in node.properties.items() if key not in _CONTAINER}
        return Node(name, node.args, {**inherited, **properties}, [*kids, *floating])

    def pane(self, node: Node, depth: int) -> Node:
        self.made += 1
        if depth > DEPTH_MAX or self.made > NODES_MAX:
            raise InvalidInput("the layout's templates contain each other, or are too large")
        kids = [self.pane(child, depth + 1) for child in node.children]
        template = self.panes.get(node.name)
        if template is None:
            return Node(node.name, node.args, node.properties, kids)
        made = self.pane(Node("pane", (), template.properties, template.children), depth + 1)
        nested = [kid for kid in kids if kid.name in ("pane", "children")]
        settings = [kid for kid in kids if kid.name not in ("pane", "children")]
        replaced = {kid.name for kid in settings} | set(node.properties)
        base = [child for child in made.children if child.name == "pane" or child.name not in replaced]
        defaults = {key: value for key, value in made.properties.items() if key != "name"}
        own = dict(node.properties)
        if any(child.name == "children" for child in base):
            own = {key: value for key, value in own.items() if key not in _CONTAINER}
            base = _fill(base, _wrap(node, nested))
        else:
            base += nested
        return Node("pane", (), {**defaults, **own}, [*settings, *base])


def _wrap(node: Node, tiled: list[Node]) -> Node:
    """What stands where the template says `children`: one pane, or a container of several."""
    if not tiled:
        return Node("pane")
    container = {key: node.properties[key] for key in _CONTAINER if key in node.properties}
    if len(tiled) == 1 and not container:
        return tiled[0]
    return Node("pane", (), container, tiled)


def _fill(children: Sequence[Node], content: Node) -> list[Node]:
    """`children` with `content` in the one place that says so.

    One only, as in Zellij: with two, templates within templates would double at each level.
    """
    filled, places = _replace(children, content)
    if places > 1:
        raise InvalidInput("a template has more than one `children` node", hint="leave only one")
    return filled


def _replace(children: Sequence[Node], content: Node) -> tuple[list[Node], int]:
    filled, places = [], 0
    for child in children:
        if child.name == "children":
            filled.append(content)
            places += 1
        else:
            inner, found = _replace(child.children, content)
            places += found
            filled.append(Node(child.name, child.args, child.properties, inner) if found else child)
    return filled, places
