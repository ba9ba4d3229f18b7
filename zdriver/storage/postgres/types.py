"""How Python's values go to PostgreSQL: one type each, so that a statement is prepared once.

psycopg picks the smallest integer type that holds a value and leaves text untyped. Then a statement
is another one for each size of number, `:a + :b` may overflow, and `:x = ''` is ambiguous.
"""

from __future__ import annotations

from psycopg import postgres
from psycopg.abc import AdaptContext
from psycopg.adapt import Buffer, Dumper
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from psycopg.types.string import StrDumper


class BoolAsInteger(Dumper):
    """Flags are bigint 0 and 1 in every engine."""

    oid = postgres.types["int8"].oid

    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"


def register(connection: AdaptContext) -> None:
    """For this connection alone: psycopg's defaults are left as they are."""
    adapters = connection.adapters
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_dumper(str, StrDumper)
    adapters.register_dumper(bool, BoolAsInteger)
