"""What every connection to the store's file is set to."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from zdriver.storage.sqlite.connection import open_reader, open_writer


@pytest.mark.parametrize("kind", ["writer", "reader"])
def test_no_statement_is_prepared_anew_for_a_value(tmp_path: Path, kind: str) -> None:
    """As SQLite built with STAT4 does where plans may depend on values: at ten times the cost."""
    file = tmp_path / "store.db"
    connection = open_writer(file)
    connection.execute("CREATE TABLE one (id TEXT PRIMARY KEY)")
    if kind == "reader":
        connection.close()
        connection = open_reader(file)
    assert connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, -1) == 1
    connection.close()
