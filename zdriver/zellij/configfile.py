"""zdriver's entries in Zellij's config.kdl: a text goes in, a text comes out.

Zellij reads only the first `keybinds`, `plugins` and `load_plugins` node, so entries go
*into* those, right before their closing brace. That nothing else changed is checked by
parsing before and after with another parser. Entries are known again by the plugin they
name, never by comments: Zellij drops those when it saves the file itself.
"""

from __future__ import annotations

import re

import msgspec

from zdriver.core.errors import Internal, InvalidInput
from zdriver.zellij import kdl_nodes
from zdriver.zellij.kdl_nodes import parse_nodes, quoted
from zdriver.zellij.kdledit import children, cut, first, is_marked, put, root_span, span
from zdriver.zellij.kdlscan import Node, scan
from zdriver.zellij.keybinds import (
    ALIAS,
    Key,
    bound_keys,
    clash,
    default_mode,
    is_ours,
    key_lines,
    message,
    taken,
    wanted_keys,
)

#: `load_plugins` replaces Zellij's own list, so a new one repeats what is in the default.
DEFAULT_LOAD_PLUGINS = ("zellij:link",)
ROOTS = ("plugins", "load_plugins", "keybinds")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the entries shall say."""

    wasm: str  #: absolute path of the plugin
    command: str  #: absolute path of the `zdriver` program


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    skipped: tuple[str, ...] = ()  #: keys that the user has bound to something else, in words


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Which of our entries a text holds."""

    alias: bool
    load: bool
    current: bool  #: the alias names the wanted plugin and command
    missing: tuple[Key, ...]  #: ours that are not bound and could be
    clashes: tuple[str, ...]  #: ours that the user has bound to something else, in words


def install(text: str, wanted: Wanted) -> Edited:
    """`text` with our entries in it; the same text when all is there already.

    Raises InvalidInput when `text` is not KDL, Internal when the edit would change more than it should.
    """
    meaning = _meaning(text)
    new = _with_load(_with_alias(text, wanted))
    missing, skipped = _keys(scan(new))
    if missing:
        new = put(new, "keybinds", key_lines(missing, default_mode(scan(new))))
    _verify(meaning, new)
    return Edited(text=new, skipped=skipped)


def remove(text: str) -> Edited:
    """`text` without our entries, however they came to look. Raises as `install`."""
    meaning = _meaning(text)
    new = text
    while spans := _our_spans(new):
        new = cut(new, *spans[-1])
    _verify(meaning, new)
    return Edited(text=new)


def look(text: str, wanted: Wanted) -> Found:
    """Raises InvalidInput when `text` is not KDL."""
    parse(text)
    nodes = scan(text)
    alias = first(children(nodes, "plugins"), ALIAS)
    missing, clashes = _keys(nodes)
    return Found(
        alias=alias is not None,
        load=any(is_ours(node.name) for node in children(nodes, "load_plugins")),
        current=alias is not None and _says(alias, wanted),
        missing=tuple(missing),
        clashes=clashes,
    )


def snippet(wanted: Wanted, mode: str = "normal") -> str:
    """The lines to put in by hand, where the file cannot be written."""
    blocks = (
        ("plugins", _alias_lines(wanted)),
        ("load_plugins", [*map(quoted, DEFAULT_LOAD_PLUGINS), ALIAS]),
        ("keybinds", key_lines(wanted_keys(mode), mode)),
    )
    return "\n".join(
        f"{name} {{\n" + "".join(f"    {line}\n" for line in lines) + "}" for name, lines in blocks
    )


def parse(text: str) -> list[kdl_nodes.Node]:
    """The nodes as the other parser reads them. Raises InvalidInput."""
    try:
        return parse_nodes(text)
    except InvalidInput as error:
        raise InvalidInput(
            "the file is not KDL that zdriver can read",
            hint="`zellij setup --check` tells what Zellij thinks of it",
        ) from error


def location(wasm: str) -> str:
    """The plugin's address: Zellij reads it as a URL, so what has a meaning there is escaped."""
    return "file:" + re.sub("[%?#]", lambda found: f"%{ord(found[0]):02X}", wasm)


# -- inside --------------------------------------------------------------------------------


def _says(alias: Node, wanted: Wanted) -> bool:
    command = first(alias.children, "command")
    # Zellij's own saves write the path without escapes.
    addresses = (location(wanted.wasm), f"file:{wanted.wasm}")
    return (
        alias.properties.get("location") in addresses
        and command is not None
        and command.arguments == [wanted.command]
    )


def _alias_lines(wanted: Wanted) -> list[str]:
    return [
        f"{ALIAS} location={quoted(location(wanted.wasm))} {{",
        f"    command {quoted(wanted.command)}",
        "}",
    ]


def _with_alias(text: str, wanted: Wanted) -> str:
    alias = first(children(scan(text), "plugins"), ALIAS)
    if alias and _says(alias, wanted):
        return text
    return put(cut(text, *span(text, alias)) if alias else text, "plugins", _alias_lines(wanted))


def _with_load(text: str) -> str:
    loaded = children(scan(text), "load_plugins")
    if first(loaded, ALIAS):
        return text
    by_path = next((node for node in loaded if is_ours(node.name)), None)
    if by_path:  # beside the alias it would be loaded twice
        text = cut(text, *span(text, by_path))
    default = () if first(scan(text), "load_plugins") else DEFAULT_LOAD_PLUGINS
    return put(text, "load_plugins", [*map(quoted, default), ALIAS])


def _keys(nodes: list[Node]) -> tuple[list[Key], tuple[str, ...]]:
    """Our keys that are still to be bound, and in words those that are the user's."""
    wanted = wanted_keys(default_mode(nodes))
    have = {(key.mode, key.message) for key, _ in bound_keys(nodes) if key.message}
    open_ = [key for key in wanted if (key.mode, key.message) not in have]
    clashing = taken(nodes, open_)
    theirs = [key for key, _ in clashing]
    return [key for key in open_ if key not in theirs], tuple(clash(key, action) for key, action in clashing)


def _our_spans(text: str) -> list[tuple[int, int]]:
    """Where our entries stand, in order; a block that holds nothing else goes as a whole."""
    spans = []
    for root in scan(text):
        ours = _our_children(root)
        if ours and is_marked(text, root) and not _others_in(root, ours):
            spans.append(root_span(text, root))
        else:
            spans += [span(text, node) for node in ours]
    return sorted(spans)


def _our_children(root: Node) -> list[Node]:
    match root.name:
        case "plugins":
            return [node for node in root.children if node.name == ALIAS]
        case "load_plugins":
            return [node for node in root.children if is_ours(node.name)]
        case "keybinds":
            found = []
            for block in root.children:
                binds = [node for node in block.children if node.name == "bind" and message(node)]
                found += [block] if binds and len(binds) == len(block.children) else binds
            return found
        case _:
            return []


def _others_in(root: Node, ours: list[Node]) -> bool:
    default = DEFAULT_LOAD_PLUGINS if root.name == "load_plugins" else ()
    own = {id(node) for node in ours}
    return any(id(node) not in own and node.name not in default for node in root.children)


def _verify(meaning: list[object], after: str) -> None:
    """Raise Internal unless `after` means the same without our entries."""
    if _meaning(after) != meaning:
        raise Internal(
            "the edit would change more than zdriver's own entries; nothing was written",
            hint="`zdriver setup zellij --print` shows the lines to put in by hand",
        )


def _meaning(text: str) -> list[object]:
    """The document as values, without our entries and without blocks that are empty then.

    Raises InvalidInput.
    """
    found: list[object] = []
    for node in parse(text):
        if node.name not in ROOTS:
            found.append(_whole(node))
            continue
        others = _others(node)
        if others or node.args or node.properties:
            found.append((node.name, _values(node), others))
    return found


def _others(root: kdl_nodes.Node) -> list[object]:
    kept: list[object] = []
    for node in root.children:
        if root.name == "keybinds":
            binds = [child for child in node.children if not _sends_to_us(child)]
            if binds or not node.children:
                kept.append((node.name, _values(node), [_whole(child) for child in binds]))
        elif not (node.name == ALIAS or (root.name == "load_plugins" and is_ours(node.name))):
            kept.append(_whole(node))
    default = [_whole(kdl_nodes.Node(name)) for name in DEFAULT_LOAD_PLUGINS]
    return [] if root.name == "load_plugins" and kept == default else kept


def _sends_to_us(bind: kdl_nodes.Node) -> bool:
    return bind.name == "bind" and any(
        action.name == "MessagePlugin" and bool(action.args) and is_ours(str(action.args[0]))
        for action in bind.children
    )


def _whole(node: kdl_nodes.Node) -> tuple[object, ...]:
    return node.name, _values(node), [_whole(child) for child in node.children]


def _values(node: kdl_nodes.Node) -> tuple[object, ...]:
    # repr keeps 1, 1.0 and true apart
    return [repr(value) for value in node.args], {key: repr(value) for key, value in node.properties.items()}
