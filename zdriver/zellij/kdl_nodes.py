"""KDL version 1 as plain nodes: parsed within limits, written so that Zellij's parser reads it back.

Text comes from files and programs that may be damaged or hostile: `parse_nodes` raises
InvalidInput and nothing else. Nodes keep what Zellij looks at: name, arguments,
properties, children. Type annotations are dropped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import ckdl  # type: ignore[import-untyped]  # it ships no types

from zdriver.core.errors import InvalidInput

Value = str | int | float | bool | None

TEXT_MAX = 2_000_000  #: characters of a document; a dump of 60 panes has about 10,000
DEPTH_MAX = 64  #: nesting; a real layout has below 15
NODES_MAX = 50_000

#: ckdl reads numbers in quadratic time, so a number of this many digits is refused unread.
_LONG_NUMBER = re.compile(r"[0-9a-fA-F_]{100}")
_ESCAPED_NUL = re.compile(r"\\u\{0+\}")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
#: A bare identifier that KDL 1 surely reads as one; anything else is written in quotes.
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_KEYWORDS = frozenset({"true", "false", "null"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


class Node:
    """One KDL node. `properties` holds the last value of a name given twice."""

    __slots__ = ("args", "children", "name", "properties")

    def __init__(
        self,
        name: str,
        args: Sequence[Value] = (),
        properties: dict[str, Value] | None = None,
        children: Sequence[Node] = (),
    ) -> None:
        self.name = name
        self.args = args
        self.properties = properties if properties is not None else {}
        self.children = children

    def child(self, name: str) -> Node | None:
        """The first child of that name, as Zellij takes it."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def value(self, name: str) -> Value:
        """The property `name`, else the first argument of the child `name`, else None."""
        if name in self.properties:
            return self.properties[name]
        if not self.children:
            return None
        child = self.child(name)
        return child.args[0] if child is not None and child.args else None

    def text(self, name: str) -> str:
        """`value`, where it is a string; else ""."""
        found = self.value(name)
        return found if isinstance(found, str) else ""

    def flag(self, name: str) -> bool:
        return self.value(name) is True


def parse_nodes(text: str) -> list[Node]:
    """The document's nodes. Raises InvalidInput."""
    if len(text) > TEXT_MAX:
        raise InvalidInput(f"the layout has {len(text)} characters; at most {TEXT_MAX} are read")
    if _LONG_NUMBER.search(text) and _LONG_NUMBER.search(_STRINGS.sub('""', text)):
        raise InvalidInput("the layout holds a number with too many digits")
    if _ESCAPED_NUL.search(text):
        raise InvalidInput("the layout holds a NUL character")
    try:
        # A NUL can be in no path, argument or name; Zellij writes none
        document = ckdl.parse(text.replace("\0", "\ufffd"), version=1)
    except (ckdl.ParseError, ValueError, OverflowError, MemoryError) as error:
        # ValueError: lone surrogates, in the text or escaped in a string
        raise InvalidInput(f"the layout is not KDL: {_one_line(error)}") from error
    return _Converter().nodes(document.nodes, 0)


_PLAIN = frozenset({str, int, float, bool, type(None)})


class _Converter:
    """ckdl's nodes → ours, counted. Runs in the daemon at each dump, so it is kept lean."""

    def __init__(self) -> None:
        self.left = NODES_MAX

    def nodes(self, found: list[ckdl.Node], depth: int) -> list[Node]:
        self.left -= len(found)
        if self.left < 0:
            raise InvalidInput(f"the layout has more than {NODES_MAX} nodes")
        if depth > DEPTH_MAX:
            raise InvalidInput(f"the layout is nested more than {DEPTH_MAX} deep")
        made = []
        for node in found:
            args = [arg if type(arg) in _PLAIN else _plain(arg) for arg in node.args]
            properties = {
                key: value if type(value) in _PLAIN else _plain(value)
                for key, value in node.properties.items()
            }
            children = node.children
            made.append(
                Node(node.name, args, properties, self.nodes(children, depth + 1) if children else [])
            )
        return made


def _plain(value: object) -> Value:
    """Of a value with a type annotation only the value."""
    if isinstance(value, ckdl.Value):
        value = value.value
    return value if type(value) in _PLAIN else str(value)  # type: ignore[return-value]  # the set above


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def quoted(text: str) -> str:
    """`text` as a KDL string. What KDL cannot hold (NUL, lone surrogates) becomes U+FFFD."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_character, text)) + '"'


def _character(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char == "\0" or "\ud800" <= char <= "\udfff":
        return "\ufffd"
    # Format characters and unassigned ones stay as they are: only control characters
    # and separators could be mistaken for something else on their way.
    return char if char.isprintable() or ord(char) > 0x2029 else f"\\u{{{ord(char):x}}}"


@lru_cache(maxsize=256)
def identifier(text: str) -> str:
    return text if _BARE.match(text) and text not in _KEYWORDS else quoted(text)


def write_value(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput("the layout holds a number that cannot be written")
    return repr(value)


def write_nodes(nodes: Iterable[Node], indent: int = 0) -> Iterator[str]:
    """The lines of `nodes`, each ended by a newline."""
    pad = "    " * indent
    for node in nodes:
        parts = [identifier(node.name), *map(write_value, node.args)]
        parts += [f"{identifier(key)}={write_value(value)}" for key, value in node.properties.items()]
        head = pad + " ".join(parts)
        if node.children:
            yield head + " {\n"
            yield from write_nodes(node.children, indent + 1)
            yield pad + "}\n"
        else:
            yield head + "\n"
