"""What agents are to do, on every engine."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.contract.units import whole_log
from zdriver.core.errors import Ambiguous, Conflict, InvalidInput, NotFound
from zdriver.core.ids import new_id
from zdriver.storage.port import Store
from zdriver.tasks.model import Assignment, Task
from zdriver.tasks.service import TasksService

MINUTE = 60_000_000


@pytest.fixture
def tasks(store: Store) -> TasksService:
    return TasksService(store)


def given(title: str = "mend the login", *, id: str = "", agent: str = "") -> Assignment:
    return Assignment(
        id=id or new_id(), title=title, text="it fails", agent=agent, origin="planner@desk",
        payload={"title": title, "weight": 3},
    )  # fmt: skip


def taken(tasks: TasksService, agent: str, *, lease: float = 0.0) -> Task:
    found = tasks.take(agent=agent, lease=lease)
    assert found is not None
    return found


def events(store: Store, id_: str) -> list[str]:
    return [row["type"] for row in whole_log(store) if row["aggregate"] == f"task:{id_}"]


def test_it_is_there_once_however_often_it_comes(tasks: TasksService, store: Store) -> None:
    one = given()
    assert tasks.add(one)
    assert not tasks.add(one)
    (found,) = tasks.list()
    assert (found.title, found.state, found.origin, found.payload["weight"]) == (
        "mend the login", "queued", "planner@desk", 3,
    )  # fmt: skip
    assert events(store, one.id) == ["task.created"]


def test_from_the_queue_to_its_end(tasks: TasksService, store: Store) -> None:
    one = given()
    tasks.add(one)
    mine = taken(tasks, "claude-1")
    assert (mine.id, mine.state, mine.holder, mine.attempts) == (one.id, "taken", "claude-1", 1)
    assert tasks.take(agent="claude-2") is None
    longer = tasks.extend(mine.id, turn=1, lease=7200, agent="claude-1")
    assert mine.expires_at is not None
    assert longer.expires_at is not None
    assert longer.expires_at > mine.expires_at
    done = tasks.finish(mine.id, turn=1, agent="claude-1")
    assert (done.state, done.holder) == ("done", "claude-1")
    assert done.done_at is not None
    assert tasks.take(agent="claude-2") is None
    assert events(store, one.id) == ["task.created", "task.assigned", "task.completed"]


def test_the_oldest_first_and_only_who_it_is_for(tasks: TasksService) -> None:
    for title, agent in (("a", ""), ("b", "claude-2"), ("c", "")):
        tasks.add(given(title, agent=agent))
    assert [taken(tasks, "claude-1").title for _ in range(2)] == ["a", "c"]
    assert tasks.take(agent="claude-1") is None
    assert taken(tasks, "claude-2").title == "b"


def test_given_back_it_is_had_again(tasks: TasksService) -> None:
    tasks.add(given())
    mine = taken(tasks, "claude-1")
    assert tasks.give_back(mine.id, turn=1, agent="claude-1").state == "queued"
    assert taken(tasks, "claude-2").attempts == 2


def test_a_lease_that_ran_out_passes_it_on_and_the_first_holder_is_refused(
    tasks: TasksService, store: Store
) -> None:
    tasks.add(given())
    mine = taken(tasks, "claude-1", lease=1)
    store.write(lambda tx: tx.run("task.extend", id=mine.id, agent="claude-1", turn=1, until=tx.now() - 1))
    other = taken(tasks, "claude-2")
    assert (other.id, other.attempts) == (mine.id, 2)
    for late in (tasks.extend, tasks.finish, tasks.give_back):
        with pytest.raises(Conflict, match="claude-2 has it"):
            late(mine.id, turn=1, agent="claude-1")
    assert tasks.finish(mine.id, turn=2, agent="claude-2").state == "done"


def test_the_same_agent_in_an_earlier_turn_is_refused(tasks: TasksService) -> None:
    tasks.add(given())
    first = taken(tasks, "claude-1")
    tasks.give_back(first.id, turn=1, agent="claude-1")
    taken(tasks, "claude-1")
    with pytest.raises(Conflict, match="turn 2"):
        tasks.finish(first.id, turn=1, agent="claude-1")


def test_a_request_that_comes_again_takes_no_second_one(tasks: TasksService) -> None:
    tasks.add(given("a"))
    tasks.add(given("b"))
    request = new_id()
    first = tasks.take(agent="claude-1", request=request)
    assert tasks.take(agent="claude-1", request=request) == first
    assert Counter(each.state for each in tasks.list()) == {"queued": 1, "taken": 1}


def test_many_take_at_once_and_each_gets_another(tasks: TasksService) -> None:
    for number in range(60):
        tasks.add(given(f"{number}"))
    got: list[Task] = []
    lock = threading.Lock()

    def work(agent: str) -> None:
        while (found := tasks.take(agent=agent)) is not None:
            with lock:
                got.append(found)

    threads = [threading.Thread(target=work, args=(f"claude-{each}",)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(int(each.title) for each in got) == list(range(60))


def test_listed_by_state_newest_first(tasks: TasksService) -> None:
    for title in "abc":
        tasks.add(given(title))
    taken(tasks, "claude-1")
    assert [each.title for each in tasks.list()] == ["c", "b", "a"]
    assert [each.title for each in tasks.list(state="queued")] == ["c", "b"]
    assert [each.title for each in tasks.list(state="taken")] == ["a"]
    assert [each.title for each in tasks.list(limit=1)] == ["c"]


def test_shown_by_the_end_of_its_id(tasks: TasksService) -> None:
    for id_ in ("one-abc", "two-abc", "three-xyz"):
        tasks.add(given(id=id_))
    assert tasks.show("one-abc").id == "one-abc"
    assert tasks.show("xyz").id == "three-xyz"
    with pytest.raises(Ambiguous):
        tasks.show("abc")
    for unknown in ("nothing", "a_c", "x" * 100):
        with pytest.raises(NotFound):
            tasks.show(unknown)


def test_what_cannot_be_meant(tasks: TasksService) -> None:
    tasks.add(given(id="one"))
    for wrong in ("", "a b", "a\0b", "x" * 101):
        with pytest.raises(InvalidInput):
            tasks.show(wrong)
    for lease in (-1.0, 0.5, float("nan"), 1e9):
        with pytest.raises(InvalidInput):
            tasks.take(agent="claude-1", lease=lease)
    for agent in (" ", "a\0", "x" * 201):
        with pytest.raises(InvalidInput):
            tasks.take(agent=agent)
    for turn in (0, -1, 2**31):
        with pytest.raises(InvalidInput):
            tasks.finish("one", turn=turn, agent="claude-1")
    for limit in (0, 1001):
        with pytest.raises(InvalidInput):
            tasks.list(limit=limit)
    with pytest.raises(NotFound):
        tasks.finish("two", turn=1, agent="claude-1")
    with pytest.raises(Conflict, match="nobody has it"):
        tasks.finish("one", turn=1, agent="claude-1")


def test_kept_over_a_restart(reopen: Callable[[], AbstractContextManager[Store]]) -> None:
    for _ in range(2):
        with reopen() as store:
            TasksService(store).add(given(id="one"))
    with reopen() as store:
        assert [each.id for each in TasksService(store).list()] == ["one"]
