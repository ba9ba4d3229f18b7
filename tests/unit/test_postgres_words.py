"""What is pure of the store on PostgreSQL: statements, lock names, errors in words."""

from __future__ import annotations

import psycopg
import pytest

from zdriver.core.engines import Address
from zdriver.core.errors import Conflict, Internal, InvalidInput, StorageFull, Unavailable
from zdriver.storage.postgres.causes import Down, translate
from zdriver.storage.postgres.compiling import catalog, compiled, of_events, statement
from zdriver.storage.postgres.keys import lock_key

WHERE = Address(
    setting="archive.url",
    scheme="postgresql",
    url="postgresql://ann:s%2Fcret@db.example:5433/team?sslmode=require",
)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT :a, :long_name", "SELECT %(a)s, %(long_name)s"),
        ("SELECT ':a', x::text, 'it''s :b'", "SELECT ':a', x::text, 'it''s :b'"),
        ("WHERE id LIKE '%' || :end -- :not 100%", "WHERE id LIKE '%%' || %(end)s"),
        ('SELECT ":a" % :b', 'SELECT ":a" %% %(b)s'),
        ("SELECT '12:30', :at", "SELECT '12:30', %(at)s"),
    ],
)
def test_parameters_are_told_from_what_only_looks_like_them(sql: str, expected: str) -> None:
    assert compiled(sql).decode() == expected


def test_statements_about_events_are_known() -> None:
    assert {"event.after", "event.append", "event.rewrite", "archive.events"} <= of_events()
    assert "meta.get" not in of_events()
    assert of_events() <= catalog().keys()
    with pytest.raises(Internal, match="no statement"):
        statement("no.such")


def test_lock_names_become_the_same_numbers_everywhere() -> None:
    assert lock_key("context:1") == lock_key("context:1") != lock_key("context:2")
    assert all(-(2**63) <= lock_key(str(i)) < 2**63 for i in range(1000))
    assert lock_key("claim:x") == 458207293857707244


SAID = 'connection failed: connection to server at "10.0.0.1", port 5433 failed: '


@pytest.mark.parametrize(
    ("said", "kind", "expected"),
    [
        (
            SAID + 'FATAL:  password authentication failed for user "ann"',
            Unavailable,
            "password of user ann is wrong",
        ),
        (SAID + 'FATAL:  database "team" does not exist', Unavailable, "no database team"),
        (SAID + 'FATAL:  role "ann" does not exist', Unavailable, "knows no user ann"),
        (SAID + "Connection refused\n\tIs the server running on that host?", Down, "nothing answers there"),
        (SAID + "FATAL:  the database system is starting up", Down, "starting or ending"),
        (SAID + "FATAL:  sorry, too many clients already", Down, "no connection left"),
        (SAID + "SSL error: certificate verify failed", Unavailable, "certificate is not trusted"),
        (SAID + "server does not support SSL, but SSL was required", Unavailable, "speaks no TLS"),
        ('could not translate host name "nowhere" to address', Down, "host nowhere is not known"),
        (SAID + "FATAL:  etwas anderes ging schief mit s/cret", Down, "etwas anderes ging schief mit ***"),
    ],
)
def test_what_libpq_says_is_one_line_with_setting_and_cause(
    said: str, kind: type[Unavailable], expected: str
) -> None:
    error = translate(psycopg.OperationalError(said), WHERE)
    assert type(error) is kind
    assert error.message.startswith("archive.url: ")
    assert expected in error.message
    assert "postgresql://ann:***@db.example:5433/team" in error.message
    assert error.hint
    for never in ("s/cret", "s%2Fcret", "{", "\n"):
        assert never not in error.message + error.hint


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.DiskFull("x"), StorageFull),
        (psycopg.errors.UniqueViolation("x"), Conflict),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), InvalidInput),
        (psycopg.errors.InsufficientPrivilege("x"), Unavailable),
        (psycopg.errors.ReadOnlySqlTransaction("x"), Unavailable),
        (psycopg.errors.AdminShutdown("x"), Down),
        (psycopg.errors.UndefinedTable("x"), Internal),
        (Conflict("ours already"), Conflict),
    ],
)
def test_states_become_errors_of_ours(error: Exception, kind: type[Exception]) -> None:
    assert type(translate(error, WHERE)) is kind
