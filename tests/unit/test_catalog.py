"""Statements in files: by name, with what they have in common written once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import zdriver
from zdriver.core.errors import Internal
from zdriver.storage.catalog import split, statements

TEXT = """-- What the file is about.

-- part: row
SELECT id, name
FROM things

-- name: all
{{row}}
ORDER BY id

-- name: one
{{row}}
WHERE id = :id
"""


def test_a_part_stands_where_a_statement_names_it() -> None:
    assert split("thing", TEXT) == {
        "thing.all": "SELECT id, name\nFROM things\nORDER BY id",
        "thing.one": "SELECT id, name\nFROM things\nWHERE id = :id",
    }


def test_a_part_that_is_not_there_is_said() -> None:
    with pytest.raises(Internal, match=r"\{\{raw\}\}"):
        split("thing", TEXT.replace("{{row}}", "{{raw}}"))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_nothing_of_it_is_left_in_a_statement(engine: str) -> None:
    found = statements(engine)
    assert len(found) > 200
    assert not [name for name, sql in found.items() if "{{" in sql or "}}" in sql or "-- part" in sql]


#: Named in parts, in `archive/passing.py` and `tasks/service.py`; and what the contract tests look with.
COMPOSED = {
    *("archive.entries", "archive.claims", "archive.events"),
    *("task.extend", "task.finish", "task.give_back"),
    "snapshot.count_blobs",
}


def test_no_statement_is_left_that_nobody_runs() -> None:
    package = Path(zdriver.__file__).parent
    code = "\n".join(file.read_text("utf-8") for file in package.rglob("*.py"))
    named = set(re.findall(r'"([a-z_]+\.[a-z_]+)"', code)) | COMPOSED
    given = {*statements("sqlite"), *statements("postgresql")}
    assert given - named == set()
