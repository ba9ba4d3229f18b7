"""A pipeline that fails leaves nothing behind that later writes stumble over."""

from __future__ import annotations

import pytest

from zdriver.core.engines import Address
from zdriver.core.errors import ZdriverError
from zdriver.storage.port import Transaction
from zdriver.storage.postgres.store import PostgresStore

#: Around the use with which psycopg prepares a statement (the sixth).
USES = range(4, 9)


def test_what_was_to_be_prepared_behind_a_failure_is_not_taken_for_prepared(database_url: str) -> None:
    def fails(tx: Transaction) -> str:
        # Put off until the commit, where the second is one too many; the request's row comes after it.
        for _ in range(2):
            tx.run("search.add", seq=1, words="word")
        return "no"

    address = Address(setting="storage.url", scheme="postgresql", url=database_url)
    for uses in USES:
        with PostgresStore(address) as store:  # with connections of its own
            for number in range(uses):
                store.write(lambda tx: "yes", request=f"before-{uses}-{number}", result=str)
            with pytest.raises(ZdriverError):
                store.write(fails, request=f"fails-{uses}")
            assert store.write(lambda tx: "yes", request=f"after-{uses}", result=str) == "yes"
