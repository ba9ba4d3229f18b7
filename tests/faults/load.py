"""Mixed operations by many clients, and what they were told."""

from __future__ import annotations

import itertools
import random
import threading
from typing import Any
from uuid import uuid4

from tests.faults.client import Client, GivenUp, Refused
from tests.faults.counting import Mark
from tests.faults.hosts import Host
from zdriver.testing import until


class Load:
    """`clients` threads on each host; together they make `operations` calls that change something.

    Each thread has a context of its own, and shares worktrees to claim with others.
    """

    def __init__(self, hosts: list[Host], *, operations: int, clients: int = 8, seed: int = 1) -> None:
        self.operations = operations
        self.acknowledged: list[Mark] = []
        self.refused: list[str] = []
        self.unanswered: list[str] = []
        self.broken: list[str] = []  #: threads that ended for another reason
        #: folder → (id of its context, intent said last)
        self.said: dict[str, tuple[str, str]] = {}
        self._numbers = itertools.count()
        self._done = 0
        self._upto = 0  #: how many may begin
        self._further = threading.Condition()
        self._lock = threading.Lock()
        self._clients = [host.client() for host in hosts for _ in range(clients)]
        self._threads = [
            threading.Thread(
                target=self._work, args=(number, hosts[number // clients], client, seed), daemon=True
            )
            for number, client in enumerate(self._clients)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        for client in self._clients:
            client.close()

    @property
    def running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    @property
    def repeated(self) -> int:
        return sum(client.repeated for client in self._clients)

    def let(self, share: float) -> None:
        """Nothing beyond that share of the operations begins until more is let. At first that is nothing."""
        with self._further:
            self._upto = round(share * self.operations)
            self._further.notify_all()

    def _next(self) -> int:
        """The number of the operation to begin, once it may; that of none at the end."""
        number = next(self._numbers)
        with self._further:
            self._further.wait_for(lambda: number < self._upto or number >= self.operations)
        return number

    def reached(self, share: float) -> bool:
        """Wait until that share of the operations is over; False when all of them are."""
        until(
            lambda: self._done >= share * self.operations or not self.running,
            what=f"{share:.0%} of the operations",
            deadline=900,
            every=0.01,
        )
        return self.running

    # -- one client ------------------------------------------------------------------------------

    def _work(self, number: int, host: Host, client: Client, seed: int) -> None:
        chance = random.Random(f"{seed}/{number}")
        folder = host.home.path / f"place-{number}"
        folder.mkdir(exist_ok=True)
        worker = _Worker(host, client, str(folder), number)
        try:
            while (operation := self._next()) < self.operations:
                try:
                    for mark in worker.act(chance.random(), f"op-{operation}-{uuid4().hex[:6]}"):
                        self._acknowledge(mark)
                except Refused as no:
                    self._note(self.refused if no.code == "conflict" else self.broken, str(no))
                except GivenUp as problem:
                    self._note(self.unanswered, str(problem))
                self._count()
        except Exception as error:  # whatever it is: a result with one is no good result
            self._note(self.broken, f"{type(error).__name__}: {error}")
        with self._lock:
            if worker.said:
                self.said[str(folder)] = worker.said

    def _acknowledge(self, mark: Mark) -> None:
        with self._lock:
            self.acknowledged.append(mark)

    def _note(self, where: list[str], text: str) -> None:
        with self._lock:
            where.append(text)

    def _count(self) -> None:
        with self._lock:
            self._done += 1


class _Worker:
    def __init__(self, host: Host, client: Client, folder: str, number: int) -> None:
        self.host, self.client, self.folder = host, client, folder
        self.place = {"cwd": folder}
        self.worktree = host.worktrees[number % len(host.worktrees)]
        self.said: tuple[str, str] | None = None
        self.held: tuple[str, int, str] | None = None  #: agent, token, id of the claim to release next

    def act(self, chance: float, text: str) -> list[Mark]:
        """One operation; the marks of what the daemon said is done. Raises Refused, GivenUp."""
        if chance < 0.42:
            return self._intent(text)
        if chance < 0.84:
            return self._milestone(text)
        if chance < 0.99:
            return self._release() if self.held else self._claim(text)
        return self._add(text)

    def _intent(self, text: str) -> list[Mark]:
        intent = self._ask("context.set_intent", text=text, place=self.place)
        self.said = (intent["context"]["id"], text)
        return [("intent.set", text)]

    def _milestone(self, text: str) -> list[Mark]:
        self._ask("context.record_milestone", text=text, place=self.place)
        return [("milestone.recorded", text)]

    def _claim(self, text: str) -> list[Mark]:
        claim = self._ask("claims.claim", name=self.worktree, agent=text, cwd=str(self.host.repo))
        self.held = (text, claim["token"], claim["id"])
        return [("worktree.claimed", text)]

    def _release(self) -> list[Mark]:
        assert self.held is not None
        (agent, token, id_), self.held = self.held, None
        there = {"name": self.worktree, "cwd": str(self.host.repo)}
        self._ask("claims.release", token=token, agent=agent, **there)
        return [("worktree.released", id_)]

    def _add(self, text: str) -> list[Mark]:
        made = self._ask("worktrees.add", type="exp", name=text, cwd=str(self.host.repo), agent="ada")
        return [("worktree.created", made["worktree"]["name"])]

    def _ask(self, method: str, **params: object) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.call(method, request=str(uuid4()), **params)
        return answer
