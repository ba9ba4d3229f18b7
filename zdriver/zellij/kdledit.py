"""Lines put into a KDL text and taken out again; all else stays as it is to the byte."""

from __future__ import annotations

import re

from zdriver.zellij.kdlscan import Node, scan

MARK = "// zdriver: `zdriver setup undo` takes this out"


def first(nodes: list[Node], name: str) -> Node | None:
    return next((node for node in nodes if node.name == name), None)


def children(nodes: list[Node], name: str) -> list[Node]:
    """Those of the first node of that name, the one that Zellij reads."""
    node = first(nodes, name)
    return node.children if node else []


def put(text: str, name: str, lines: list[str]) -> str:
    """Add `lines` at the end of the first node `name`, or add that node at the text's end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    node = first(scan(text), name)
    if node is None:
        gap = "" if not text else newline if text.endswith(("\n", "\r")) else newline * 2
        body = newline.join([MARK, f"{name} {{", *(f"    {line}" for line in lines), "}", ""])
        return text + gap + body
    if node.close is None:
        body = newline.join(["", *(f"    {line}" for line in [MARK, *lines]), ""])
        return f"{text[: node.end]} {{{body}}}{text[node.end :]}"
    start = line_start(text, node.close)
    outer = text[start : node.close]
    alone = not outer.strip()
    indent, step = (outer if alone else ""), _step(text, node)
    body = newline.join([*(indent + step + line.replace("    ", step) for line in [MARK, *lines]), ""])
    # A closing brace behind the last child on its line gets a line of its own.
    at = start if alone else node.close
    return text[:at] + (body if alone else newline + body) + text[at:]


def _step(text: str, node: Node) -> str:
    """One level of indentation as this block has it."""
    for child in node.children:
        lead = text[line_start(text, child.start) : child.start]
        if lead.startswith("\t") and not lead.strip():
            return "\t"
    return "    "


def line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def cut(text: str, start: int, end: int) -> str:
    return text[:start] + text[end:]


def span(text: str, node: Node) -> tuple[int, int]:
    """What goes when `node` goes: its `;`, its whole line if it stands alone, our mark above it."""
    start, end = node.start, node.end
    if semicolon := re.compile(r"[ \t]*;").match(text, end):
        end = semicolon.end()
    line = line_start(text, start)
    rest = re.compile(r"[ \t]*(?:\r\n|\n|\r|\Z)").match(text, end)
    if text[line:start].strip() or rest is None:
        return start, end
    return _with_mark(text, line), rest.end()


def root_span(text: str, node: Node) -> tuple[int, int]:
    """The same for a whole node that `put` has added, with the empty line above it."""
    start, end = span(text, node)
    above = _line_above(text, start)
    blank = start > 0 and not text[above:start].strip()
    return (above if blank else start), end


def is_marked(text: str, node: Node) -> bool:
    start = line_start(text, node.start)
    return _with_mark(text, start) < start


def _line_above(text: str, start: int) -> int:
    """Where the line above begins, for a `start` that begins a line."""
    if start == 0:
        return 0
    return line_start(text, start - (2 if text[start - 2 : start] == "\r\n" else 1))


def _with_mark(text: str, start: int) -> int:
    above = _line_above(text, start)
    return above if start > 0 and text[above:start].strip() == MARK else start
