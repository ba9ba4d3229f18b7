"""A layout file turned into one for a single tab that stands in a given folder.

Source of the format: zellij-utils 0.45.1, `kdl/kdl_layout_parser.rs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zdriver.core.errors import InvalidInput, NotFound
from zdriver.zellij import dirs, files, setup
from zdriver.zellij.kdl_nodes import Node, Value, parse_nodes, write_nodes
from zdriver.zellij.kdledit import first
from zdriver.zellij.kdlscan import scan

#: What belongs to a tab's own contents where a layout has no `tab`.
_CONTENTS = frozenset({"pane", "floating_panes"})


def read_layout(name: str, environ: Mapping[str, str]) -> str:
    """The text of a layout by its name or whole path, as a Zellij with this environment finds it.

    One of zdriver's own is there also where `zdriver setup zellij` never ran. Raises NotFound,
    InvalidInput for a file that cannot be read.
    """
    if name.startswith(("/", "~")):
        path = Path(name).expanduser()
    else:
        path = _folder(environ) / f"{name.removesuffix('.kdl')}.kdl"
    text = files.read_text(path)
    if text is not None:
        return text
    if name in setup.LAYOUTS:
        return setup.layout_text(name)
    raise NotFound(
        f"there is no layout {name!r}: {path} is not there",
        hint="`zdriver config edit` opens the file in which worktrees.layout names it",
    )


def _folder(environ: Mapping[str, str]) -> Path:
    node = first(scan(files.read_text(dirs.config_file(environ)) or ""), "layout_dir")
    named = node.arguments[0] if node and node.arguments else ""
    return Path(named).expanduser() if named else dirs.config_dir(environ) / "layouts"


def one_tab(layout: str, *, name: str, path: str) -> str:
    """KDL of the layout's first tab, called `name`, its panes in `path` (absolute).

    Templates and swap layouts stay. Raises InvalidInput for what is no layout.
    """
    root = next((node for node in parse_nodes(layout) if node.name == "layout"), None)
    if root is None:
        raise InvalidInput("the layout has no `layout` node", hint="give a layout in Zellij's format")
    tab = root.child("tab")
    contents = tab.children if tab is not None else [c for c in root.children if c.name in _CONTENTS]
    given = tab.properties if tab is not None else _split(root)
    properties: dict[str, Value] = {**given, "name": name, "cwd": path.replace("$", "$$"), "focus": True}
    tail = [c for c in root.children if c.name not in {"tab", "cwd", *_CONTENTS}]
    made = Node("tab", (), properties, [c for c in contents if c.name != "cwd"])
    # A tab may use templates only that stand before it.
    templates = [c for c in tail if c.name.endswith("_template")]
    others = [c for c in tail if not c.name.endswith("_template")]
    return "".join(write_nodes([Node("layout", (), {}, [*templates, made, *others])]))


def _split(root: Node) -> dict[str, Value]:
    """How a layout without tabs divides its one."""
    direction = root.text("split_direction")
    return {"split_direction": direction} if direction else {}
