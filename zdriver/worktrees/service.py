"""Worktrees: each call of `WorktreesApi` handed to the part that does it; removing is its own base."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from zdriver.core import caller, requests
from zdriver.core.clock import to_datetime
from zdriver.core.errors import Conflict, InvalidInput, NotFound
from zdriver.storage.port import Transaction
from zdriver.worktrees import rows, rules
from zdriver.worktrees.locks import Locks
from zdriver.worktrees.model import (
    Added,
    Line,
    Repaired,
    Worktree,
    WorktreeType,
)
from zdriver.worktrees.ports import Guard, Linker, Resources
from zdriver.worktrees.registry import Registry
from zdriver.worktrees.removing import Removing

if TYPE_CHECKING:  # loaded at the first use: a daemon without worktrees needs none of it
    from zdriver.worktrees.adding import Adding, Asked
    from zdriver.worktrees.creating import Creating
    from zdriver.worktrees.repairing import Repairing


class WorktreesService(Removing):
    """`WorktreesApi`. Thread-safe: all state is in the store, but who is at what in this process."""

    def __init__(
        self,
        registry: Registry,
        guard: Guard | None = None,
        linker: Linker | None = None,
        resources: Resources | None = None,
        *,
        branch: Callable[[], str] = lambda: "{type}-{name}",
        locks: Locks | None = None,
    ) -> None:
        """branch: the setting `worktrees.branch` as it is now.
        locks: of (repository's id, `names.key` of the name), shared with who changes worktrees beside.
        """
        super().__init__(registry, guard, linker, resources, locks=locks)
        self._linker = linker
        self._resources = resources
        self._branch = branch

    @cached_property
    def _creating(self) -> Creating:
        from zdriver.worktrees.creating import Creating

        return Creating(self._registry, self._locks, self._linker, self._resources)

    @cached_property
    def _repairing(self) -> Repairing:
        from zdriver.worktrees.repairing import Repairing

        return Repairing(self._registry, self._creating, self._locks, settler=self)

    @cached_property
    def _adding(self) -> Adding:
        from zdriver.worktrees.adding import Adding

        return Adding(
            self._registry, self._creating, self._repairing, self._locks, self._guard, branch=self._branch
        )

    # ---- making -------------------------------------------------------------------------

    def add(
        self,
        type: str,
        name: str,
        *,
        base: str = "",
        branch: str = "",
        cwd: str = "",
        agent: str = "",
        env: dict[str, str] | None = None,
        request: str = "",
    ) -> Added:
        from zdriver.worktrees.adding import Asked

        return self.make(
            Asked(
                type=type,
                name=name,
                cwd=cwd or caller.cwd(),
                agent=agent or caller.agent(),
                base=base,
                branch=branch,
                env=env,
                request=request,
            )
        )

    def make(self, asked: Asked) -> Added:
        """`add`, in this process only: also for a pull request."""
        added = self._adding.add(asked)
        return self._beside_others(added, asked.cwd) if added.created else added

    def _beside_others(self, added: Added, cwd: str) -> Added:
        """With a word to who makes what another machine has as well: a claim is one for all of them."""
        if not self._registry.store.shared:
            return added
        from zdriver.worktrees import elsewhere

        found = elsewhere.lines(self._registry.store, self._registry.repo(cwd), added.worktree.name)
        return msgspec.structs.replace(added, warnings=(*added.warnings, *elsewhere.words(found)))

    def adopt(
        self, path: str, *, type: str = "", cwd: str = "", agent: str = "", request: str = ""
    ) -> Worktree:
        from zdriver.worktrees.adopting import adopt

        where = os.path.normpath(os.path.join(cwd or caller.cwd(), os.path.expanduser(path)))  # noqa: PTH111, PTH118 as text
        return adopt(self._registry, where, type=type, agent=agent or caller.agent(), request=request)

    # ---- looking ------------------------------------------------------------------------

    def list(self, *, cwd: str = "", conditions: bool = True, all_hosts: bool = False) -> tuple[Line, ...]:
        from zdriver.worktrees import elsewhere, listing

        where = cwd or caller.cwd()
        repo = self._registry.repo(where)
        here = listing.lines(self._registry, repo, cwd=where, conditions=conditions)
        return (*here, *elsewhere.lines(self._registry.store, repo)) if all_hosts else here

    def show(self, name: str = "", *, cwd: str = "") -> Line:
        from zdriver.worktrees import listing

        where = cwd or caller.cwd()
        repo, worktree = self._registry.find(name, where)
        return listing.line(self._registry, repo, worktree, cwd=where)

    def find(self, query: str = "", *, cwd: str = "", previous: str = "") -> tuple[Worktree, ...]:
        where = cwd or caller.cwd()
        if query == "-":
            if not previous:
                raise NotFound("there is no worktree you came from", hint="name one: zdriver go NAME")
            return (self._registry.find(previous, where)[1],)
        repo = self._registry.repo(where)
        exact = rules.exactly(query, self._registry.worktrees(repo))
        if exact is not None and Path(exact.path).is_dir():  # then git has no more to say
            return (exact,)
        known, foreign = self._registry.reconciled(repo)
        everything = tuple(each for each in (*known, *foreign) if each.state == "ready")
        if (exact := rules.exactly(query, everything)) is not None:
            return (exact,)
        if "/" in query and Path(where, query).is_dir():
            return (self._registry.find(query, where)[1],)
        return rules.ranked(query, everything)

    def used(self, name: str = "", *, cwd: str = "") -> Worktree:
        _, worktree = self._registry.find(name, cwd)

        def unit(tx: Transaction) -> Worktree:
            now = tx.now()
            tx.run("worktree.used", id=worktree.id, at=now)
            return msgspec.structs.replace(worktree, used_at=to_datetime(now))

        return self._registry.store.write(unit)

    def environment(self, name: str = "", *, cwd: str = "") -> dict[str, str]:
        repo, worktree = self._registry.find(name, cwd)
        leased = self._resources.environment(worktree, repo) if self._resources is not None else {}
        return {**leased, "ZDRIVER_WORKTREE": worktree.name, "ZDRIVER_WORKTREE_PATH": worktree.path}

    # ---- mending ------------------------------------------------------------------------

    def repair(self, *, cwd: str = "", agent: str = "", dry_run: bool = False) -> tuple[Repaired, ...]:
        where = cwd or caller.cwd()
        return self._repairing.repair(self._registry.repo(where), cwd=where, dry_run=dry_run)

    def settle_all(self) -> None:
        """For the daemon's start: what was killed halfway on this machine."""
        if self._registry.unfinished():
            self._repairing.at_start()

    # ---- types --------------------------------------------------------------------------

    def types(self) -> tuple[WorktreeType, ...]:
        return self._registry.types()

    def add_type(
        self, name: str, *, description: str = "", base: str = "", request: str = ""
    ) -> WorktreeType:
        made = WorktreeType(name=rules.type_name(name), description=_line(description), base=base.strip())

        def unit(tx: Transaction) -> WorktreeType:
            own = {row["name"] for row in tx.all("worktree.types")}
            if name in own or any(name == each.name for each in rules.BUILTIN):
                raise Conflict(f"there is a type {name} already", hint="zdriver worktree types list")
            tx.run("worktree.type_add", name=name, description=made.description, base=made.base, at=tx.now())
            return made

        return self._registry.store.write(
            unit,
            lock=["worktree-types"],
            request=request,
            digest=requests.digest("add_type", name, description, base) if request else "",
            result=WorktreeType,
        )

    def remove_type(self, name: str, *, request: str = "") -> WorktreeType:
        if any(name == each.name for each in rules.BUILTIN):
            raise Conflict(f"{name} is built in", hint="only types of your own can be removed")

        def unit(tx: Transaction) -> WorktreeType:
            found = [rows.own_type(row) for row in tx.all("worktree.types") if row["name"] == name]
            if not found:
                raise NotFound(f"there is no type {name!r} of your own", hint="zdriver worktree types list")
            used = tx.one("worktree.type_used", type=name)
            if used is not None and used["worktrees"]:
                raise Conflict(
                    f"{used['worktrees']} worktrees have the type {name}", hint="remove or merge them first"
                )
            tx.run("worktree.type_remove", name=name)
            return found[0]

        return self._registry.store.write(
            unit,
            lock=["worktree-types"],
            request=request,
            digest=requests.digest("remove_type", name) if request else "",
            result=WorktreeType,
        )


def _line(text: str) -> str:
    line = " ".join(text.split())
    if len(line) > 200 or not (line.isprintable() or not line):
        raise InvalidInput("the description must be one line of at most 200 characters", hint="shorten it")
    return line
