"""Zellij's grant file: which plugin may do what.

The file (`permissions.kdl` in Zellij's cache folder) has one node per plugin path with
one child per permission: `"/abs/x.wasm" { ReadApplicationState; }` (zellij-utils 0.45,
`input/permission.rs`). Zellij asks again unless every permission wanted is there.
"""

from __future__ import annotations

import msgspec

from zdriver.core.errors import InvalidInput
from zdriver.zellij.kdl_nodes import quoted
from zdriver.zellij.kdledit import cut, span
from zdriver.zellij.kdlscan import Node, scan


class Permission(msgspec.Struct, frozen=True):
    name: str  #: as Zellij calls it
    why: str


def needed() -> tuple[Permission, ...]:
    """What the plugin asks for: `zdriver/data/permissions.json`, the one list of it."""
    from importlib.resources import files

    text = files("zdriver").joinpath("data/permissions.json").read_bytes()
    return msgspec.json.decode(text, type=tuple[Permission, ...])


def granted(text: str, wasm: str) -> frozenset[str]:
    """The names granted to the plugin at that path; none when the file is damaged."""
    try:
        return frozenset(child.name for node in _nodes(text, wasm) for child in node.children)
    except InvalidInput:
        return frozenset()


def grant(text: str, wasm: str, names: tuple[str, ...]) -> str:
    """`text` with all of `names` granted; other plugins' lines stay as they are.

    A damaged file counts for nothing with Zellij and is written anew.
    """
    if granted(text, wasm) >= set(names):
        return text
    try:
        rest = revoke(text, wasm)
    except InvalidInput:
        rest = ""
    gap = "" if not rest or rest.endswith("\n") else "\n"
    every = sorted(granted(text, wasm) | set(names))
    return f"{rest}{gap}{quoted(wasm)} {{\n" + "".join(f"    {name}\n" for name in every) + "}\n"


def whole(text: str) -> bool:
    """False for what a Zellij leaves that ends while it writes: nothing, a part, or zeros on a disk."""
    try:
        return "\0" not in text and bool(scan(text))
    except InvalidInput:
        return False


def revoke(text: str, wasm: str) -> str:
    """`text` without that plugin. Raises InvalidInput when the file is damaged."""
    while nodes := _nodes(text, wasm):
        text = cut(text, *span(text, nodes[0]))
    return text


def _nodes(text: str, wasm: str) -> list[Node]:
    return [node for node in scan(text) if node.name == wasm]
