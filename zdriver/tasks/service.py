"""Tasks on a store: `TasksApi`, and how what arrives gets into it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from zdriver.core import caller, requests
from zdriver.core.errors import Ambiguous, InvalidInput, NotFound
from zdriver.core.ids import short
from zdriver.storage.port import Reading, Row, Store, Transaction
from zdriver.tasks import rows, rules
from zdriver.tasks.model import Assignment, State, Task


class _Taken(msgspec.Struct, frozen=True):
    """An answer that may be none, as it is kept for a request that comes again."""

    task: Task | None


class TasksService:
    """`TasksApi`. Thread-safe: all state is in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, given: Assignment) -> bool:
        """Durably, when this returns; False: it was there already. Raises StorageFull, Unavailable."""

        def unit(tx: Transaction) -> bool:
            added = tx.run(
                "task.add",
                id=given.id,
                title=given.title,
                text=given.text,
                repo=given.repo,
                worktree=given.worktree,
                agent=given.agent,
                origin=given.origin,
                payload=msgspec.json.encode(given.payload).decode(),
                at=tx.now(),
            )
            if added:
                made = _by_id(tx, given.id)
                tx.emit(rows.event("task.created", made, agent=made.agent))
            return bool(added)

        return self._store.write(unit, lock=[_lock(given.id)])

    def list(self, *, state: State | None = None, limit: int = 100) -> tuple[Task, ...]:
        if not 1 <= limit <= rules.LIMIT_MAX:
            raise InvalidInput(f"the limit is {limit}", hint=f"give 1 to {rules.LIMIT_MAX}")
        found = self._store.read(lambda tx: tx.all("task.newest", state=state or "", limit=limit))
        return tuple(rows.task(row) for row in found)

    def show(self, id: str) -> Task:
        rules.identity(id)

        def unit(tx: Reading) -> list[Row]:
            whole = tx.one("task.by_id", id=id)
            return [whole] if whole is not None else tx.all("task.by_end", end=id)

        found = self._store.read(unit)
        if not found:
            raise _unknown(id)
        if len(found) > 1:
            which = ", ".join(short(row["id"]) for row in found)
            raise Ambiguous(f"several tasks end in {id!r}: {which}", hint="give more of it")
        return rows.task(found[0])

    def take(self, *, lease: float = 0.0, agent: str = "", request: str = "") -> Task | None:
        who, length = rules.agent(agent or caller.agent()), rules.lease(lease)

        def unit(tx: Transaction) -> _Taken:
            row = tx.one("task.take", agent=who, lease=length, now=tx.now())
            if row is None:
                return _Taken(None)
            taken = rows.task(row)
            tx.emit(rows.event("task.assigned", taken, agent=who, turn=taken.attempts))
            return _Taken(taken)

        return self._store.write(
            unit,
            request=request,
            digest=requests.digest("tasks.take", who, length) if request else "",
            result=_Taken,
        ).task

    def extend(self, id: str, *, turn: int, lease: float = 0.0, agent: str = "") -> Task:
        length = rules.lease(lease)
        return self._own("extend", id, turn, agent, lambda tx: {"until": tx.now() + length})

    def finish(self, id: str, *, turn: int, agent: str = "", request: str = "") -> Task:
        return self._own(
            "finish",
            id,
            turn,
            agent,
            lambda tx: {"at": tx.now()},
            event="task.completed",
            request=request,
        )

    def give_back(self, id: str, *, turn: int, agent: str = "", request: str = "") -> Task:
        return self._own("give_back", id, turn, agent, lambda tx: {}, event="task.queued", request=request)

    def _own(
        self,
        change: str,
        id_: str,
        turn: int,
        agent: str,
        more: Callable[[Transaction], dict[str, int]],
        *,
        event: str = "",
        request: str = "",
    ) -> Task:
        """Change a task that `agent` has, in the turn in which it got it.

        The statement itself asks whose it is: `take` may come between any two others. One that ran
        out and that nobody else took is still its holder's.
        """
        rules.identity(id_)
        who, turn = rules.agent(agent or caller.agent()), rules.turn(turn)

        def unit(tx: Transaction) -> Task:
            changed = tx.run(f"task.{change}", id=id_, agent=who, turn=turn, **more(tx))
            task = _by_id(tx, id_)
            if not changed:
                raise rules.lost(task, who)
            if event:
                tx.emit(rows.event(event, task, agent=who, turn=turn))
            return task

        return self._store.write(
            unit,
            lock=[_lock(id_)],
            request=request,
            digest=requests.digest(f"tasks.{change}", id_, turn, who) if request else "",
            result=Task,
        )


def _by_id(tx: Reading, id_: str) -> Task:
    row = tx.one("task.by_id", id=id_)
    if row is None:
        raise _unknown(id_)
    return rows.task(row)


def _unknown(id_: str) -> NotFound:
    return NotFound(f"there is no task {id_!r}", hint="`zdriver task list` shows them")


def _lock(id_: str) -> str:
    return f"task:{id_}"
