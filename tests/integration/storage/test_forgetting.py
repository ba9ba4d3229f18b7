"""What is forgotten is gone from the tables: also their pages hold nothing of it any more."""

from __future__ import annotations

import psycopg
import pytest

from tests.integration.storage.conftest import Opens
from zdriver.context.model import Place
from zdriver.context.service import ContextService
from zdriver.storage.port import SCRUB_OWED
from zdriver.storage.postgres import store as stores
from zdriver.storage.postgres.store import PostgresStore
from zdriver.testing import until

SECRET = "Kassiopeia"


def service(store: PostgresStore) -> ContextService:
    return ContextService(store, host="host", roots=lambda folder: folder, head=lambda root: None)


def dead_rows(url: str) -> int:
    """Of the tables where it was written, as a scan of them counts."""
    with psycopg.connect(url, autocommit=True) as reader:
        counted = 0
        for table in ("entries", "search"):
            report = "\n".join(
                notice for notice in _verbose(reader, f"VACUUM (VERBOSE) {table}") if "dead" in notice
            )
            counted += sum(
                int(word) for word, after in zip(report.split(), report.split()[1:], strict=False)
                if word.isdigit() and after == "removed,"
            )  # fmt: skip
        return counted


def _verbose(reader: psycopg.Connection, statement: str) -> list[str]:
    said: list[str] = []
    reader.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    reader.execute(statement.encode())
    return said


def test_nothing_of_it_is_found_and_its_rows_are_vacuumed(opens: Opens, database_url: str) -> None:
    store = opens()
    contexts = service(store)
    made = contexts.set_intent(f"call {SECRET}", place=Place(cwd="/w/a"))
    contexts.set_intent("call nobody", place=Place(cwd="/w/a"))
    assert contexts.history(SECRET)
    contexts.forget((made.id,))
    assert contexts.history(SECRET) == []
    with psycopg.connect(database_url) as reader:
        for table, column in (("entries", "text"), ("search", "words::text"), ("requests", "result")):
            rows = reader.execute(f"SELECT {column} FROM {table}".encode()).fetchall()
            assert SECRET.lower() not in str(rows).lower()
        logged = reader.execute("SELECT convert_from(envelope, 'UTF8') FROM events").fetchall()
        assert SECRET not in str(logged)
        assert reader.execute("SELECT 1 FROM meta WHERE key = %s", (SCRUB_OWED,)).fetchone() is None
    assert dead_rows(database_url) == 0, "the forgetting itself has removed them"


def test_what_a_killed_process_owed_is_made_up_for(
    opens: Opens, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "EXPIRE_EVERY", 0.0)
    store = opens()
    store.write(lambda tx: tx.run("meta.put", key=SCRUB_OWED, value="x"))
    end = store.subscribe(lambda: None)
    until(
        lambda: store.read(lambda tx: tx.one("meta.get", key=SCRUB_OWED)) is None,
        what="the scrubbing that was owed",
    )
    end()
