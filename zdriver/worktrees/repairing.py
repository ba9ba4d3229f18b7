"""What was killed halfway is finished or taken back; git and folders are brought together again."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from zdriver.core import platform
from zdriver.core.errors import Conflict, ZdriverError
from zdriver.git import worktrees as git
from zdriver.git.leftovers import INITIALIZING, MARK, drop_branch_lock, mend_entries
from zdriver.git.repos import git_dir_of
from zdriver.git.tops import top_and_git_dir
from zdriver.storage.port import Transaction
from zdriver.worktrees import rows
from zdriver.worktrees.creating import Creating
from zdriver.worktrees.locks import Locks, is_alive, owner
from zdriver.worktrees.model import Repaired, Repo, Worktree
from zdriver.worktrees.names import key
from zdriver.worktrees.ports import Settler
from zdriver.worktrees.reconciling import Seen
from zdriver.worktrees.registry import Registry

log = logging.getLogger(__name__)

#: seconds that a git is waited for whose zdriver was killed
GIT_WAIT = 120.0


class Repairing:
    def __init__(
        self, registry: Registry, creating: Creating, locks: Locks, settler: Settler | None = None
    ) -> None:
        """settler: finishes removals that were killed."""
        self._registry = registry
        self._store = registry.store
        self._creating = creating
        self._locks = locks
        self._settler = settler

    # ---- what was killed ------------------------------------------------------------------

    def settle(self, repo: Repo, worktree: Worktree) -> Repaired | None:
        """Finish or take back one that stands as `creating`; None: its maker is alive, or done.

        Raises Conflict when it can be neither, with the reason.
        """
        with self._locks.held(repo.id, key(worktree.name)):
            row = self._store.read(lambda tx: tx.one("worktree.by_id", id=worktree.id))
            if row is None or row["state"] != "creating":
                return None
            if row["owner"] != owner() and is_alive(row["owner"]):
                return None
            _wait_for_git(worktree)
            mend_entries(repo.git_dir)
            if row["made_branch"]:
                begun = worktree.created_at.timestamp()
                drop_branch_lock(repo.git_dir, worktree.branch, since=begun)
            if self._is_whole(repo, worktree):
                self._creating.finish(repo, worktree)
                return Repaired(
                    name=worktree.name, found="killed when git had made it", done="finished, and registered"
                )
            made_branch, head = bool(row["made_branch"]), row["head"]
            if not self._creating.undo(repo, worktree, made_branch=made_branch, head=head):
                raise Conflict(
                    f"{worktree.name} was killed halfway, and {worktree.path} holds files of somebody's",
                    hint="move them away, then run zdriver worktree repair",
                )
            return Repaired(name=worktree.name, found="killed while git made it", done="taken back")

    def _is_whole(self, repo: Repo, worktree: Worktree) -> bool:
        """Whether git has made all of it: it takes its lock `initializing` away when files are there."""
        for each in git.listed(repo.git_dir):
            if os.path.realpath(each.path) == worktree.path and each.branch == worktree.branch:
                if each.locked == INITIALIZING or not os.path.lexists(f"{worktree.path}/.git"):
                    return False
                own = git_dir_of(worktree.path)
                return os.path.lexists(f"{own}/index") and not os.path.lexists(f"{own}/index.lock")
        return False

    def at_start(self) -> None:
        """Everything of this machine that a killed process left. Says what it could not in the log."""
        for row in self._store.read(lambda tx: tx.all("worktree.unfinished", host=self._registry.host)):
            try:
                repo = self._registry.repo_by_id(row["repo_id"])
                done = self._settled(repo, rows.worktree(row, repo))
            except (ZdriverError, OSError) as error:
                log.warning("%s was killed halfway and stays so: %s", row["path"], error)
            else:
                log.info("%s was killed halfway: %s", row["path"], done.done if done else "it is at work")

    def _settled(self, repo: Repo, worktree: Worktree) -> Repaired | None:
        if worktree.state == "creating":
            return self.settle(repo, worktree)
        return self._settler.settle(repo, worktree) if self._settler is not None else None

    # ---- on request -----------------------------------------------------------------------

    def repair(self, repo: Repo, *, cwd: str, dry_run: bool) -> tuple[Repaired, ...]:
        """All that is wrong with a repository's worktrees, and what was done (`done` "": nothing yet)."""
        return (
            *_mended(repo, dry_run=dry_run),
            *self._unfinished(repo, dry_run=dry_run),
            *self._moved(repo, cwd, dry_run=dry_run),
            *self._vanished(repo, dry_run=dry_run),
            *self._forgotten(repo),
        )

    def _unfinished(self, repo: Repo, *, dry_run: bool) -> Iterator[Repaired]:
        for each in self._registry.worktrees(repo):
            if each.state == "ready":
                continue
            if dry_run:
                yield Repaired(name=each.name, found=f"it stands as {each.state}", done="")
                continue
            try:
                done = self._settled(repo, each)
            except (ZdriverError, OSError) as error:
                yield Repaired(name=each.name, found=f"it stands as {each.state}", done=f"nothing: {error}")
            else:
                if done is not None:
                    yield done

    def _moved(self, repo: Repo, cwd: str, *, dry_run: bool) -> Iterator[Repaired]:
        """Folders that were moved by hand: they know their repository, which knows them elsewhere."""
        listed = {each.path for each in self._registry.seen(repo)}
        for path in self._candidates(repo, cwd):
            if path in listed:
                continue
            if not dry_run:
                git.repair(repo.git_dir, [path])
                if path not in {each.path for each in self._registry.seen(repo)}:
                    continue
            yield Repaired(
                name=Path(path).name, found=f"moved by hand to {path}", done="" if dry_run else "git knows it"
            )
        if not dry_run:
            git.repair(repo.git_dir)
            self._registry.reconcile(repo, self._registry.seen(repo))

    def _candidates(self, repo: Repo, cwd: str) -> list[str]:
        """Tops of this repository's worktrees beside those that are known, and the caller's."""
        folders = {repo.container, *(str(Path(each.path).parent) for each in self._registry.worktrees(repo))}
        found = {str(each) for folder in folders for each in Path(folder).glob("*/.git") if each.is_file()}
        tops = {os.path.realpath(Path(each).parent) for each in found}
        here = top_and_git_dir(cwd) if cwd else None
        if here is not None:
            tops.add(here[0])
        return sorted(top for top in tops if top_and_git_dir(top) == (top, repo.git_dir))

    def _vanished(self, repo: Repo, *, dry_run: bool) -> Iterator[Repaired]:
        """Folders that were deleted by hand: git would keep their branches checked out for ever."""
        known = {each.path: each for each in self._registry.worktrees(repo)}
        for seen in self._registry.seen(repo):
            if seen.there or seen.bare or seen.path == repo.trunk:
                continue
            row = known.get(seen.path)
            if row is not None and row.state != "ready":
                continue
            name = row.name if row is not None else Path(seen.path).name
            found = f"its folder {seen.path} is gone"
            if seen.locked is not None:
                yield Repaired(name=name, found=found, done="nothing: git has it locked")
            elif dry_run:
                yield Repaired(name=name, found=found, done="")
            else:
                self._let_go(repo, seen, row)
                kept = f"; branch {seen.branch} is kept" if seen.branch else ""
                yield Repaired(name=name, found=found, done=f"taken off the list{kept}")

    def let_go(self, repo: Repo, worktree: Worktree) -> None:
        """Git and the registry forget one whose folder is gone. Raises Conflict when it is locked."""
        for seen in self._registry.seen(repo):
            if seen.path == worktree.path and not seen.there:
                self._let_go(repo, seen, worktree)
                return
        self._let_go(repo, None, worktree)

    def _let_go(self, repo: Repo, seen: Seen | None, row: Worktree | None) -> None:
        if seen is not None:
            git.remove(repo.git_dir, seen.path, force=True)
        if row is None:
            return
        gone = row

        def unit(tx: Transaction) -> None:
            if tx.run("worktree.gone", id=gone.id, at=tx.now()):
                tx.emit(rows.event("worktree.removed", gone, reason="its folder was deleted"))

        self._store.write(unit, lock=[f"worktree:{gone.id}"])

    def _forgotten(self, repo: Repo) -> Iterator[Repaired]:
        listed = {each.path for each in self._registry.seen(repo)}
        for each in self._registry.worktrees(repo):
            if each.state == "ready" and each.path not in listed and Path(each.path).is_dir():
                yield Repaired(
                    name=each.name,
                    found=f"git does not know {each.path} any more",
                    done="nothing: move the folder away, make the worktree anew, and copy what you need",
                )


def _mended(repo: Repo, *, dry_run: bool) -> tuple[Repaired, ...]:
    """First of all: while such an entry is there, git says nothing of any worktree."""
    if dry_run:
        return ()
    found = "git's entry was empty: a git was killed when it made it"
    return tuple(Repaired(name=name, found=found, done="written") for name in mend_entries(repo.git_dir))


def _wait_for_git(worktree: Worktree) -> None:
    """A killed zdriver leaves its git running: wait until it has ended. Raises Conflict."""
    deadline = time.monotonic() + GIT_WAIT
    for pid in platform.pids():
        if platform.environ(pid).get(MARK) != worktree.id:
            continue
        try:
            with platform.watch(pid) as watch:
                if not watch.wait(max(0.0, deadline - time.monotonic())):
                    raise Conflict(
                        f"git is still making {worktree.name} (pid {pid})",
                        hint="wait for it, or end it; then run zdriver worktree repair",
                    )
        except ProcessLookupError:
            continue
