"""Which program this is: an id of the package's files, so that a daemon notices an upgrade.

Cheap enough for every command (a `stat` per file) and right for a wheel as for a checkout
in which somebody edits: path, inode, size and time of every module count, and the
interpreter. Contents are not read.
"""

import os
import sys

#: The folder of the package `zdriver`.
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def build_id(package: str = PACKAGE) -> str:
    """16 hex digits; "" when the package's files cannot be looked at."""
    value = 0xCBF29CE484222325
    facts: list[int] = [hash_text(f"{sys.executable} {sys.hexversion} {package}")]
    folders = [package]
    try:
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in sorted(entries, key=_name):
                    if entry.name.endswith(".py"):
                        found = entry.stat()
                        facts += (found.st_ino, found.st_mtime_ns, found.st_size)
                    elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                        folders.append(entry.path)
    except OSError:
        return ""
    for fact in facts:
        value = (value ^ fact) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def hash_text(text: str) -> int:
    """FNV-1a, 64 bits: Python's own hash differs from process to process."""
    value = 0xCBF29CE484222325
    for byte in os.fsencode(text):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
