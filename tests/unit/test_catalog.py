"""Statements in files: by name, with what they have in common written once."""

from __future__ import annotations

import pytest

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
