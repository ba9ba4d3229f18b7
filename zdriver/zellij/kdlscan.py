"""Where the nodes of a KDL version 1 text begin and end.

ckdl says what a text means but keeps no positions, and an editor of other people's files
needs them. This scanner follows the grammar of KDL 1.0.0 (kdl-org/kdl, tag 1.0.0):
strings, raw strings, `//`, nested `/* */`, `/-` before a node, an argument or a block,
`\\` at a line's end, type annotations. What it makes of numbers is left as text.
"""

from __future__ import annotations

import re

import msgspec

from zdriver.core.errors import InvalidInput

DEPTH_MAX = 64

_NEWLINES = "\r\n\x85\f\u2028\u2029"
_SPACES = "\t \u00a0\u1680\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
_BARE = re.compile(rf'[^{_SPACES}{_NEWLINES}\\/(){{}}<>;\[\]=,"]+')
_RAW = re.compile(r'r(#*)"')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "/": "/", '"': '"', "b": "\b", "f": "\f"}


class Node(msgspec.Struct, kw_only=True):
    """One node with the offsets of its parts; `end` is behind its last part, before `;`."""

    name: str
    start: int
    end: int
    arguments: list[str] = []  #: values without a key, strings decoded, others as written
    properties: dict[str, str] = {}
    open: int | None = None  #: offset of `{`
    close: int | None = None  #: offset of the matching `}`
    children: list[Node] = []
    commented: bool = False  #: behind `/-`, so it does not count


def scan(text: str) -> list[Node]:
    """The nodes of a text, those behind `/-` left out. Raises InvalidInput with the line."""
    scanner = _Scanner(text)
    nodes = scanner.nodes(0)
    if scanner.at < len(text):
        raise scanner.wrong("a closing brace too many")
    return nodes


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def wrong(self, what: str) -> InvalidInput:
        line = self.text.count("\n", 0, self.at) + 1
        return InvalidInput(f"line {line}: {what}", hint="`zellij setup --check` shows where")

    def peek(self, length: int = 1) -> str:
        return self.text[self.at : self.at + length]

    def nodes(self, depth: int) -> list[Node]:
        """Nodes up to a closing brace or the end, which stays to be read."""
        if depth > DEPTH_MAX:
            raise self.wrong(f"more than {DEPTH_MAX} blocks inside each other")
        found: list[Node] = []
        while True:
            self.skip(across_lines=True)
            if self.peek() in ("", "}"):
                return found
            if self.peek() == ";":
                self.at += 1
                continue
            node = self.node(depth)
            if not node.commented:
                found.append(node)

    def node(self, depth: int) -> Node:
        start = self.at
        commented = self.slashdash()
        self.annotation()
        name = self.identifier()
        node = Node(name=name, start=start, end=self.at, commented=commented)
        while True:
            moved = self.skip(across_lines=False)
            char = self.peek()
            if char in ("", ";", "}") or char in _NEWLINES:
                return node
            if char == "{":
                self.block(node, depth, counts=True)
            elif self.peek(2) == "/-":
                self.slashdash()
                if self.peek() == "{":
                    self.block(node, depth, counts=False)
                else:
                    self.entry(None)
            elif not moved:
                raise self.wrong(f"{char!r} is not expected here")
            else:
                self.entry(node)
            node.end = self.at

    def block(self, node: Node, depth: int, *, counts: bool) -> None:
        opened = self.at
        self.at += 1
        children = self.nodes(depth + 1)
        if self.peek() != "}":
            raise self.wrong(f"the block of {node.name!r} is not closed")
        if counts:
            node.open, node.close, node.children = opened, self.at, children
        self.at += 1

    def entry(self, node: Node | None) -> None:
        """An argument or a property; it is dropped when there is no node to keep it."""
        self.annotation()
        value = self.identifier()
        if self.peek() == "=":
            self.at += 1
            self.annotation()
            given = self.identifier()
            if node is not None:
                node.properties[value] = given
        elif node is not None:
            node.arguments.append(value)

    def slashdash(self) -> bool:
        if self.peek(2) != "/-":
            return False
        self.at += 2
        self.skip(across_lines=True)
        return True

    def annotation(self) -> None:
        if self.peek() == "(":
            self.at += 1
            self.identifier()
            if self.peek() != ")":
                raise self.wrong("a type is not closed")
            self.at += 1

    def identifier(self) -> str:
        """A string, a raw string, a bare name or any other value, as text."""
        if raw := _RAW.match(self.text, self.at):
            end = self.text.find('"' + raw[1], raw.end())
            if end < 0:
                raise self.wrong("a raw string is not closed")
            self.at = end + 1 + len(raw[1])
            return self.text[raw.end() : end]
        if self.peek() == '"':
            return self.string()
        bare = _BARE.match(self.text, self.at)
        if bare is None:
            raise self.wrong(f"{self.peek()!r} is not expected here" if self.peek() else "it ends too early")
        self.at = bare.end()
        return bare[0]

    def string(self) -> str:
        self.at += 1
        parts = []
        while (char := self.peek()) != '"':
            if not char:
                raise self.wrong("a string is not closed")
            self.at += 1
            parts.append(self.escape() if char == "\\" else char)
        self.at += 1
        return "".join(parts)

    def escape(self) -> str:
        char = self.peek()
        self.at += 1
        if char == "u":
            point = re.compile(r"\{([0-9A-Fa-f]{1,6})\}").match(self.text, self.at)
            if point is None or int(point[1], 16) > 0x10FFFF:
                raise self.wrong("an escape is not whole")
            self.at = point.end()
            return chr(int(point[1], 16))
        if char not in _ESCAPES:
            raise self.wrong(f"\\{char} is no escape")
        return _ESCAPES[char]

    def skip(self, *, across_lines: bool) -> bool:
        """Go behind spaces and comments, and newlines if wanted; whether there were any."""
        before = self.at
        while char := self.peek():
            if char in _SPACES or (across_lines and char in _NEWLINES):
                self.at += 1
            elif self.peek(2) == "/*":
                self.comment()
            elif self.peek(2) == "//":
                if not across_lines:
                    # The newline behind it ends the node: leave it to be seen.
                    self.to_newline()
                    break
                self.to_newline()
            elif char == "\\":
                self.continuation()
            else:
                break
        return self.at > before

    def comment(self) -> None:
        depth = 0
        while True:
            if self.peek(2) == "/*":
                depth, self.at = depth + 1, self.at + 2
            elif self.peek(2) == "*/":
                depth, self.at = depth - 1, self.at + 2
            elif not self.peek():
                raise self.wrong("a comment is not closed")
            else:
                self.at += 1
            if depth == 0:
                return

    def continuation(self) -> None:
        """`\\`, spaces, perhaps a comment, and the newline that does not count."""
        self.at += 1
        while self.peek() and self.peek() in _SPACES:
            self.at += 1
        if self.peek(2) == "//":
            self.to_newline()
        if self.peek() and self.peek() not in _NEWLINES:
            raise self.wrong("a backslash stands only at a line's end")
        self.at += 2 if self.peek(2) == "\r\n" else 1

    def to_newline(self) -> None:
        while self.peek() and self.peek() not in _NEWLINES:
            self.at += 1
