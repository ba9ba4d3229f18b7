"""Which program this is: an id of the package's files, so that a daemon notices an upgrade.

Cheap enough for every command. Of a wheel, the list of files that the installer wrote (`RECORD`, PyPA's
"Recording installed projects") stands for all of them: pip and uv write a new one whenever they install,
and nobody edits what they installed. A checkout, in which somebody edits, costs a `stat` per file: path,
inode, size and time of every module count. The interpreter counts in both; contents are not read.
"""

import os
import sys

#: The folder of the package `zdriver`.
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def build_id(package: str = PACKAGE) -> str:
    """16 hex digits; "" when the package's files cannot be looked at."""
    facts = [hash_text(f"{sys.executable} {sys.hexversion} {package}")]
    try:
        facts += _of_installed(package) or _of_modules(package)
    except OSError:
        return ""
    value = 0xCBF29CE484222325
    for fact in facts:
        value = (value ^ fact) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def _of_installed(package: str) -> list[int]:
    """Of the installer's list and the package's folder; nothing where no installer put the package there."""
    folder = os.stat(package)  # its time changes once more: when Python puts its own folder there
    site, name = os.path.split(package)
    with os.scandir(site) as entries:
        infos = [e.path for e in entries if e.name.startswith(f"{name}-") and e.name.endswith(".dist-info")]
    try:
        records = [os.stat(f"{info}/RECORD") for info in infos]
    except FileNotFoundError:
        return []
    facts = [fact for found in records for fact in (found.st_ino, found.st_mtime_ns, found.st_size)]
    return [folder.st_ino, *facts] if facts else []


def _of_modules(package: str) -> list[int]:
    facts: list[int] = []
    folders = [package]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=_name):
                if entry.name.endswith(".py"):
                    found = entry.stat()
                    facts += (found.st_ino, found.st_mtime_ns, found.st_size)
                elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                    folders.append(entry.path)
    return facts


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def hash_text(text: str) -> int:
    """FNV-1a, 64 bits: Python's own hash differs from process to process."""
    value = 0xCBF29CE484222325
    for byte in os.fsencode(text):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
