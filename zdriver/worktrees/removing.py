"""Worktrees taken away and brought back: `api.RemovalsApi`, and `ports.Settler` for what was killed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import msgspec

from zdriver.core import caller, requests
from zdriver.core.errors import NotFound, ZdriverError
from zdriver.core.ids import new_id
from zdriver.worktrees import inspecting, removal_rules, trash
from zdriver.worktrees.departing import Departing, Wanted
from zdriver.worktrees.inspecting import Asking, Seen
from zdriver.worktrees.journal import Journal, Ticket
from zdriver.worktrees.locks import Locks
from zdriver.worktrees.merging import Merging
from zdriver.worktrees.model import Added, Merged, Prunable, Removal, Removed, Repaired, Repo, Worktree
from zdriver.worktrees.names import key
from zdriver.worktrees.ports import Busy, Guard, Linker, Resources
from zdriver.worktrees.processes import running
from zdriver.worktrees.pruning import Pruning
from zdriver.worktrees.recovering import Recovering
from zdriver.worktrees.registry import Registry

log = logging.getLogger(__name__)


class Removing:
    """Thread-safe."""

    def __init__(
        self,
        registry: Registry,
        guard: Guard | None = None,
        linker: Linker | None = None,
        resources: Resources | None = None,
        busy: Busy = running,
        *,
        locks: Locks | None = None,
    ) -> None:
        self._registry = registry
        self._guard = guard
        self._busy = busy
        self._locks = locks or Locks()
        self.journal = Journal(registry.store, registry.host)
        self._departing = Departing(self.journal, linker, resources)
        self._recovering = Recovering(self.journal, linker, resources)
        self._pruning = Pruning(registry, self.journal)
        self._merging = Merging(registry, guard)

    # ---- remove ---------------------------------------------------------------------------

    def remove(
        self,
        name: str,
        *,
        force: bool = False,
        delete_remote: bool = False,
        token: int = 0,
        cwd: str = "",
        agent: str = "",
        env: dict[str, str] | None = None,
        pids: tuple[int, ...] = (),
        request: str = "",
    ) -> Removed:
        digest = requests.digest("remove", name, force, delete_remote, token, agent) if request else ""
        known = self.journal.answered(request, digest)
        if known is not None:
            return known
        repo, worktree = self._registry.find(name, cwd)
        asking = Asking(agent=agent or caller.agent(), token=token, pids=tuple(pids), env=env)
        with self._alone(repo, worktree):
            if worktree.state == "removing":
                done = self._resume(repo, worktree)
                if isinstance(done, Removed):
                    return done
            return self._remove(repo, worktree, asking, force, delete_remote, request, digest)

    def removable(
        self,
        name: str = "",
        *,
        force: bool = False,
        merging: str = "",
        token: int = 0,
        cwd: str = "",
        agent: str = "",
        env: dict[str, str] | None = None,
        pids: tuple[int, ...] = (),
    ) -> Worktree:
        repo, worktree = self._registry.find(name, cwd)
        if worktree.state == "removing":  # one that was killed at it is settled first, by who does it
            return worktree
        asking = Asking(agent=agent or caller.agent(), token=token, pids=tuple(pids), env=env)
        seen = self._look(repo, worktree, asking)
        if merging:
            self._merging.check(repo, worktree, seen, how=merging, keep=False)
        elif against := removal_rules.against(seen.findings, force=force):
            raise removal_rules.refusal(worktree.name, against)
        return worktree

    def _remove(
        self,
        repo: Repo,
        worktree: Worktree,
        asking: Asking,
        force: bool = False,
        delete_remote: bool = False,
        request: str = "",
        digest: str = "",
    ) -> Removed:
        made, _ = self.journal.head_of(worktree)
        seen = self._look(repo, worktree, asking)
        against = removal_rules.against(seen.findings, force=force)
        if against:
            raise removal_rules.refusal(worktree.name, against)
        ticket = _ticket(repo, worktree, seen, made, force, asking.agent)
        self.journal.begin(ticket)
        wanted = Wanted(
            force=force,
            delete_remote=delete_remote,
            env=asking.env,
            again=bool(seen.findings.running),
            request=request,
            digest=digest,
        )
        return self._departing.go(ticket, seen, wanted)

    def _look(self, repo: Repo, worktree: Worktree, asking: Asking) -> Seen:
        _, made_at = self.journal.head_of(worktree)
        return inspecting.look(
            repo, worktree, guard=self._guard, busy=self._busy, asking=asking, known_head=made_at
        )

    @contextlib.contextmanager
    def _alone(self, repo: Repo, worktree: Worktree) -> Iterator[None]:
        """Nobody else removes it, nor makes one of its name. Raises Conflict."""
        with self.journal.at_work(worktree), self._locks.held(repo.id, key(worktree.name)):
            yield

    # ---- recover --------------------------------------------------------------------------

    def removals(self, *, cwd: str = "") -> tuple[Removal, ...]:
        return self.journal.removals(self._registry.repo(cwd))

    def recover(self, removal: str, *, cwd: str = "", agent: str = "", request: str = "") -> Added:
        repo = self._registry.repo(cwd)
        digest = requests.digest("recover", removal, repo.id) if request else ""
        return self._recovering.recover(removal, repo, request, digest)

    # ---- what was killed --------------------------------------------------------------------

    def settle(self, repo: Repo, worktree: Worktree) -> Repaired | None:
        """`ports.Settler`: raises Conflict when something took the worktree's place."""
        if worktree.id not in self.journal.abandoned(repo.id):
            return None
        with self._alone(repo, worktree):
            done = self._resume(repo, worktree)
        found = "killed while it was removed"
        if isinstance(done, Removed):
            return Repaired(name=worktree.name, found=found, done=f"removed; {done.kept}")
        return Repaired(name=worktree.name, found=found, done=done)

    def _resume(self, repo: Repo, worktree: Worktree) -> Removed | str:
        """To its end, or back; in words where it is no removal."""
        ticket = self.journal.ticket(worktree.id, repo)
        if ticket is None:
            return "nothing: it was settled meanwhile"
        if ticket.step == "recovering":
            placed = self._recovering.resume(ticket)
            return "recovered" if placed else "not recovered; it can be still"
        return self._departing.resume(ticket) or "taken back: it is as it was"

    # ---- prune ------------------------------------------------------------------------------

    def prunable(self, *, cwd: str = "") -> tuple[Prunable, ...]:
        """Those only of which `prune` would not say no."""
        repo = self._registry.repo(cwd)
        asking = Asking(agent=caller.agent())
        return tuple(each for each in self._pruning.candidates(repo) if self._may_go(repo, each, asking))

    def _may_go(self, repo: Repo, found: Prunable, asking: Asking) -> bool:
        if not found.worktree.id:
            return True
        try:
            seen = self._look(repo, found.worktree, asking)
        except ZdriverError as error:
            log.info("%s cannot be pruned: %s", found.worktree.name, error)
            return False
        return not _against_pruning(seen)

    def prune(
        self, names: tuple[str, ...], *, cwd: str = "", agent: str = "", request: str = ""
    ) -> tuple[Removed, ...]:
        """One after the other; the first that speaks against it ends it. Raises NotFound, Conflict."""
        repo = self._registry.repo(cwd)
        asking = Asking(agent=agent or caller.agent())
        found = {each.worktree.name: each for each in self._pruning.candidates(repo)}
        for name in names:
            if name not in found:
                raise NotFound(
                    f"{name} is not one of those that have served",
                    hint="`zdriver worktree prune` lists them; zdriver remove takes any",
                )
        return tuple(self._prune(repo, found[name].worktree, asking) for name in dict.fromkeys(names))

    def _prune(self, repo: Repo, worktree: Worktree, asking: Asking) -> Removed:
        if not worktree.id:
            worktree = self._registry.take_in(repo, worktree, agent=asking.agent)
        with self._alone(repo, worktree):
            made, _ = self.journal.head_of(worktree)
            seen = self._look(repo, worktree, asking)
            against = _against_pruning(seen)
            if against:
                raise removal_rules.refusal(worktree.name, against, verb="pruned")
            lost = seen.findings.unpushed > 0  # its folder is gone: the branch stays
            ticket = _ticket(repo, worktree, seen, made and not lost, False, asking.agent)
            self.journal.begin(ticket)
            return self._departing.go(ticket, seen, Wanted())

    # ---- merge ------------------------------------------------------------------------------

    def merge(
        self,
        name: str = "",
        *,
        how: str = "merge",
        keep: bool = False,
        token: int = 0,
        cwd: str = "",
        agent: str = "",
        env: dict[str, str] | None = None,
        pids: tuple[int, ...] = (),
        request: str = "",
    ) -> Merged:
        repo, worktree = self._registry.find(name, cwd)
        asking = Asking(agent=agent or caller.agent(), token=token, pids=tuple(pids), env=env)
        with self._alone(repo, worktree):
            if worktree.state == "removing":
                self._resume(repo, worktree)
                repo, worktree = self._registry.find(name, cwd)
            seen = self._look(repo, worktree, asking)
            base = self._merging.check(repo, worktree, seen, how=how, keep=keep)
            landed = self._merging.land(repo, worktree, seen.branch, base, how, asking)
            removed = None
            if not keep:
                at = msgspec.structs.replace(worktree, base=base)
                removed = self._remove(repo, at, asking)
        return Merged(worktree=worktree, into=base, commit=landed.commit, removed=removed)

    # ---- expiry -----------------------------------------------------------------------------

    def expire(self, now: int) -> int:
        """Let go of what was kept long enough (`now` in µs), and of folders that a removal could not
        delete whole; how many removals. What cannot be let go now is tried again the next time.
        """
        from zdriver.worktrees.expiry import expire

        return expire(self.journal, self._registry.host, now)


def _ticket(repo: Repo, worktree: Worktree, seen: Seen, made: bool, force: bool, agent: str) -> Ticket:
    id_ = new_id()
    zone = trash.zone(worktree.path, repo.git_dir)
    return Ticket(
        id=id_,
        repo=repo,
        worktree=worktree,
        trash=str(trash.folder(zone, "trash", id_)),
        made_branch=made,
        forced=force,
        agent=agent,
        branch=seen.branch,
        head=seen.findings.head,
    )


def _against_pruning(seen: Seen) -> tuple[removal_rules.Reason, ...]:
    """As for a removal; but where the folder is gone, its branch stays with all that is on it."""
    found = seen.findings
    if found.missing:
        found = msgspec.structs.replace(found, unpushed=0, foreign=False)
    return removal_rules.against(found, force=False)
