"""The SQL of every engine, read once from files beside this one.

`statements/GROUP.sql` is portable SQL; `statements/GROUP.ENGINE.sql` adds to the same group
what only that engine can say. In a file each statement follows a line `-- name: NAME`; what several
of them have in common follows `-- part: NAME`, and stands where they say `{{NAME}}`.
`migrations/ENGINE/NNNN_words.sql` are that engine's schema changes, in order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

from zdriver.core.errors import Internal

_NAME = re.compile(r"^-- (name|part): ([a-z_]+)$", re.MULTILINE)
_USE = re.compile(r"\{\{([a-z_]+)\}\}")
_MIGRATION = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_MIN_COMPATIBLE = re.compile(r"^-- min_compatible: (\d+)$", re.MULTILINE)


class Migration(msgspec.Struct, frozen=True):
    """One step of the schema."""

    number: int
    name: str
    #: The oldest schema whose programs may still use a store at this one.
    min_compatible: int
    sql: str


def split(group: str, text: str) -> dict[str, str]:
    """`{"GROUP.NAME": SQL}` of one statement file. Raises Internal for a part that is not in it."""
    split = _NAME.split(text)
    found = list(zip(split[1::3], split[2::3], map(str.strip, split[3::3]), strict=True))
    parts = {name: body for kind, name, body in found if kind == "part"}

    def part(use: re.Match[str]) -> str:
        if use[1] not in parts:
            raise Internal(f"the statements of {group} use {use[0]}, which is no part of theirs")
        return parts[use[1]]

    return {f"{group}.{name}": _USE.sub(part, body) for kind, name, body in found if kind == "name"}


class Statements(dict[str, str]):
    """By name. Raises Internal for one that there is not."""

    def __missing__(self, name: str) -> str:
        raise Internal(f"there is no statement {name}")


@cache
def statements(engine: str) -> Mapping[str, str]:
    """Every statement of `engine` by name. Raises Internal when one is given twice."""
    found = Statements()
    for file in _folder("statements"):
        group, _, rest = file.name.partition(".")
        if rest not in ("sql", f"{engine}.sql"):
            continue
        for name, sql in split(group, file.read_text("utf-8")).items():
            if name in found:
                raise Internal(f"the statement {name} is given twice")
            found[name] = sql
    return found


def mentioning(engine: str, *tables: str) -> frozenset[str]:
    """Names of the statements that read or change one of these tables; rather one too many than too few."""
    words = re.compile(rf"\b({'|'.join(tables)})\b")
    return frozenset(name for name, sql in statements(engine).items() if words.search(sql))


@cache
def migrations(engine: str) -> tuple[Migration, ...]:
    """The migrations of `engine` from 1 on. Raises Internal when a number is missing or doubled."""
    found = []
    for file in _folder("migrations", engine):
        matched = _MIGRATION.match(file.name)
        if matched is None:
            continue
        sql = file.read_text("utf-8")
        oldest = _MIN_COMPATIBLE.search(sql)
        if oldest is None:
            raise Internal(f"the migration {file.name} has no line -- min_compatible: N")
        found.append(Migration(int(matched[1]), matched[2], int(oldest[1]), sql))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise Internal(f"the migrations of {engine} are not numbered from 1 on without a gap")
    return tuple(found)


def _folder(*names: str) -> list[Traversable]:
    folder = files("zdriver.storage").joinpath(*names)
    return sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
