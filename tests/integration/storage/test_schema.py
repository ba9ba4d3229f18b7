"""The schema in PostgreSQL: the same as in SQLite, however it came about, and whoever brings it."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import apsw
import msgspec
import psycopg
import pytest

from tests.integration.storage.conftest import Opens, at
from zdriver.core.errors import StoreTooNew, Unavailable, ZdriverError
from zdriver.storage.catalog import Migration, migrations
from zdriver.storage.postgres.compiling import catalog
from zdriver.storage.postgres.connection import connect, translate
from zdriver.storage.postgres.migrating import migrate, schema_of
from zdriver.storage.postgres.store import PostgresStore
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing.servers import PostgreSql

#: What only one engine needs: its own search, its place in the log, its number.
OWN = re.compile(
    r"search.*|sqlite_.*|event_base|zdriver_schema|archive_(stores|hosts|entries|snapshots|claims|events)|audit"
)


def described(url: str) -> list[tuple[object, ...]]:
    """All of the schema that can be told: columns, constraints, indexes, functions."""
    with psycopg.connect(url) as reader:
        return reader.execute("""
            SELECT 'column', table_name, column_name, data_type, collation_name, column_default, is_nullable
            FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL
            SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL
            SELECT 'index', tablename, indexname, indexdef, '', '', ''
            FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL
            SELECT 'function', proname, '', prosrc, '', '', ''
            FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            ORDER BY 1, 2, 3
        """).fetchall()


def columns_in_sqlite(file: Path) -> dict[str, dict[str, tuple[str, bool]]]:
    kinds = {"INTEGER": "bigint", "TEXT": "text", "BLOB": "bytea"}
    SqliteStore(file).close()
    reader = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    tables = [name for (name,) in reader.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {
        table: {
            name: (kinds[kind], bool(not_null or key))
            for _, name, kind, not_null, _, key in reader.execute(f"PRAGMA table_info({table})")
        }
        for table in tables
        if not OWN.fullmatch(table)
    }


def columns(url: str) -> dict[str, dict[str, tuple[str, bool]]]:
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for kind, table, column, type_, _, _, nullable in described(url):
        if kind == "column" and not OWN.fullmatch(str(table)):
            found.setdefault(str(table), {})[str(column)] = (str(type_), nullable == "NO")
    return found


def test_both_engines_have_the_same_tables(opens: Opens, database_url: str, tmp_path: Path) -> None:
    opens()
    assert columns(database_url) == columns_in_sqlite(tmp_path / "zdriver.db")


def test_text_is_compared_by_its_bytes_everywhere(opens: Opens, database_url: str) -> None:
    opens()
    texts = [row for row in described(database_url) if row[0] == "column" and row[3] == "text"]
    assert [row for row in texts if row[4] != "C"] == []


def test_steps_taken_one_by_one_give_the_same_schema(
    opens: Opens, postgres_server: PostgreSql, database_url: str
) -> None:
    opens()
    steps = migrations("postgresql")
    other = postgres_server.database("step_by_step")
    for upto in range(1, len(steps) + 1):
        with connect(at(other)) as connection:
            assert migrate(connection, "postgresql", steps[:upto]).number == upto
    assert described(other) == described(database_url)
    postgres_server.drop("step_by_step")


def test_every_statement_is_one_that_the_server_understands(opens: Opens, database_url: str) -> None:
    opens()
    with connect(at(database_url), autocommit=True) as connection:
        for name, sql in catalog().items():
            names = list(dict.fromkeys(re.findall(rb"%\((\w+)\)s", sql)))
            for number, parameter in enumerate(names, 1):
                sql = sql.replace(b"%%(%s)s" % parameter, b"$%d" % number)
            try:
                connection.execute(b"PREPARE tried AS " + sql.replace(b"%%", b"%"))
            except (psycopg.errors.IndeterminateDatatype, psycopg.errors.AmbiguousFunction):
                continue  # the driver says the type of each
            except psycopg.Error as error:
                pytest.fail(f"{name}: {error}")
            connection.execute(b"DEALLOCATE tried")


def test_ten_that_start_together_migrate_once(database_url: str) -> None:
    ready = threading.Barrier(10)
    outcomes: list[str] = []

    def start() -> None:
        ready.wait(30)
        try:
            with PostgresStore(at(database_url)) as store:
                row = store.read(lambda tx: tx.one("meta.get", key="store_id"))
                outcomes.append(str(row["value"]) if row else "no id")
        except ZdriverError as error:
            outcomes.append(error.message)

    threads = [threading.Thread(target=start) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 10
    assert len(set(outcomes)) == 1
    assert len(outcomes[0]) == 36
    with psycopg.connect(database_url) as reader:
        assert reader.execute("SELECT count(*) FROM event_base").fetchone() == (1,)


def test_a_store_of_a_newer_program_is_left_alone(opens: Opens, database_url: str) -> None:
    opens().close()
    steps = migrations("postgresql")
    newer = Migration(len(steps) + 1, "newer", len(steps) + 1, "CREATE TABLE newer (id BIGINT)")
    with connect(at(database_url)) as connection:
        migrate(connection, "postgresql", (*steps, newer))
    with pytest.raises(StoreTooNew, match="needs a program that knows"):
        opens()
    with psycopg.connect(database_url) as beside:
        beside.execute("UPDATE zdriver_schema SET min_compatible = 1")
    opens().write(lambda tx: tx.run("meta.put", key="a", value="1"))  # a change that only added


def test_a_step_that_fails_leaves_nothing(database_url: str) -> None:
    steps = migrations("postgresql")
    broken = msgspec.structs.replace(steps[0], sql=steps[0].sql + ";\nCREATE TABLE events (again BIGINT)")
    with connect(at(database_url)) as connection:
        with pytest.raises(Unavailable, match="tables of another program"):
            migrate(connection, "postgresql", (broken,))
        assert schema_of(connection, "postgresql").number == 0
        assert migrate(connection, "postgresql").number == len(steps)


def test_a_database_of_another_program_is_left_alone(database_url: str) -> None:
    with psycopg.connect(database_url) as beside:
        beside.execute("CREATE TABLE contexts (id INT)")
    with pytest.raises(Unavailable, match="tables of another program") as refused:
        PostgresStore(at(database_url))
    assert "createdb" in refused.value.hint


def test_who_may_not_create_tables_hears_what_to_grant(postgres_server: PostgreSql) -> None:
    postgres_server.drop("not_ours")
    postgres_server.sql("CREATE DATABASE not_ours")
    with pytest.raises(Unavailable, match=r"^storage\.url: the user may not do that there") as refused:
        PostgresStore(at(postgres_server.url_of("not_ours")))
    assert "GRANT" in refused.value.hint
    postgres_server.drop("not_ours")


def test_a_database_in_another_encoding_is_refused(postgres_server: PostgreSql) -> None:
    postgres_server.drop("latin")
    postgres_server.sql("CREATE DATABASE latin OWNER zdriver ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(Unavailable, match="is in LATIN1, zdriver needs UTF8"):
        PostgresStore(at(postgres_server.url_of("latin")))
    postgres_server.drop("latin")


def test_a_server_that_is_too_old_is_refused(database_url: str) -> None:
    with pytest.raises(Unavailable, match=r"^storage\.url: .* is PostgreSQL \d+\.\d+, zdriver needs 99\.0"):
        connect(at(database_url), oldest=990000)


def test_what_lies_before_anothers_event_is_said_to_be_worth_another_try(database_url: str) -> None:
    """The table refuses it; who gives up in the end hears what happened, not a column's name."""
    PostgresStore(at(database_url)).close()
    row = "('1', 'i', 't', 'thing:1', NULL, 's', 0, '')"
    with psycopg.connect(database_url) as writer, pytest.raises(psycopg.Error) as refused:
        writer.execute(
            "INSERT INTO events (sequence, id, type, aggregate, aggregate_seq, subject, at, envelope)"
            f" VALUES {row}"
        )
    said = translate(refused.value, at(database_url))
    assert isinstance(said, Unavailable)
    assert said.message == "storage.url: others wrote about the same at each try; nothing was saved"
    assert said.hint == "do it again"
