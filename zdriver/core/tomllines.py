"""Where something stands in a TOML file: tomllib keeps no positions."""

from __future__ import annotations

import re


def line_of(text: str, name: str) -> int | None:
    """The line (from 1) where `name` is set, if that can be seen."""
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([\w.\-\"' ]+?)\s*\]", line):
            table = _plain(header[1])
            if table == name:
                return number
        elif key := re.match(r"\s*([\w.\-\"' ]+?)\s*=", line):
            full = _plain(f"{table}.{key[1]}" if table else key[1])
            if full == name or name.startswith(f"{full}."):
                return number
    return None


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
