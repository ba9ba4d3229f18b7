"""`make faults` in small: nothing is lost when all are killed, and the counts see what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.faults.__main__ import one
from tests.faults.counting import Result
from tests.faults.report import details, document
from tests.faults.trial import Servers, servers

_numbers = count(1)


@pytest.fixture(scope="module")
def made() -> Iterator[Servers]:
    with servers() as started:
        yield started


def tried(made: Servers, name: str, engine: str, *without: str, operations: int) -> Result:
    """A scenario; it makes a twentieth of these operations."""
    result = one(made, next(_numbers), name, engine, frozenset(without), operations)
    print(details(result))
    return result


@pytest.mark.timeout(1200)  # where the machine is slow and busy
def test_all_killed_at_once_while_two_hosts_share_a_store(made: Servers) -> None:
    result = tried(made, "together", "postgresql", operations=6_000)
    assert result.wrong == 0, details(result)
    assert result.acknowledged + result.refused == result.asked
    assert result.notes.count("killed") == 2


def test_one_host_with_a_store_of_its_own(made: Servers) -> None:
    result = tried(made, "daemon", "sqlite", operations=6_000)
    assert result.wrong == 0, details(result)


def test_without_the_relay_the_counts_say_lost(made: Servers) -> None:
    result = tried(made, "nothing", "sqlite", "relay", operations=2_000)
    assert (result.store.lost, result.archive.lost) == (0, 0)
    assert result.broker.lost == result.audit.lost == result.acknowledged
    assert result.wrong


def test_without_the_archive_the_counts_say_lost(made: Servers) -> None:
    result = tried(made, "nothing", "sqlite", "archive", operations=2_000)
    assert (result.store.lost, result.broker.lost, result.audit.lost) == (0, 0, 0)
    assert result.archive.lost == result.acknowledged
    assert "| archive |" in document([result], [("archive", result)], "")
