"""Making a worktree, step by step (`steps.CREATION`): finished, or undone."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from zdriver.core import paths, umask
from zdriver.core.clock import to_datetime
from zdriver.core.errors import Conflict, ZdriverError
from zdriver.core.ids import new_id
from zdriver.core.killpoint import reached
from zdriver.git import branches
from zdriver.git import worktrees as git
from zdriver.git.leftovers import MARK, strangers
from zdriver.storage.port import Transaction
from zdriver.worktrees import rows
from zdriver.worktrees.branching import Start
from zdriver.worktrees.locks import Locks, owner
from zdriver.worktrees.model import Added, Linked, Provided, PullRequest, Repo, Worktree
from zdriver.worktrees.names import key
from zdriver.worktrees.ports import Linker, Resources
from zdriver.worktrees.registry import Registry
from zdriver.worktrees.steps import point

log = logging.getLogger(__name__)
Env = Mapping[str, str] | None
EMPTY_SUBMODULES = "its submodules are empty; fill them with git submodule update --init"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A worktree to be made, all decided."""

    name: str
    type: str
    title: str
    path: str
    start: Start
    agent: str
    pull_request: PullRequest | None = None
    request: str = ""
    digest: str = ""


class Creating:
    """Writes the row, has git make it, links and provides, and says that it is ready."""

    def __init__(
        self, registry: Registry, locks: Locks, linker: Linker | None, resources: Resources | None
    ) -> None:
        self._registry = registry
        self._store = registry.store
        self._locks = locks
        self._linker = linker
        self._resources = resources

    def make(self, repo: Repo, wanted: Wanted, env: Env = None) -> Added:
        """What fails takes back all that was done. The caller holds the name's lock.

        Raises Conflict, Unavailable, StorageFull and what git says.
        """
        refuse_in_the_way(wanted.path)
        worktree = self._begin(repo, wanted)
        reached(point("begun"))
        made_container = ours = False
        new = wanted.start.new
        try:
            made_container = _make_container(wanted.path, env)
            reached(point("container"))
            try:
                said = self._check_out(repo, worktree, wanted.start, env)
            except Conflict:
                new = False  # somebody else made such a branch or folder since it was looked for
                raise
            ours = True
            reached(point("checked-out"))
            return self.finish(repo, worktree, wanted, warnings=(*wanted.start.warnings, *said))
        except BaseException:
            self.undo(repo, worktree, made_branch=new, head=wanted.start.commit, ours=ours)
            if made_container:
                with contextlib.suppress(OSError):
                    Path(wanted.path).parent.rmdir()
            raise

    def _begin(self, repo: Repo, wanted: Wanted) -> Worktree:
        start = wanted.start

        def unit(tx: Transaction) -> Worktree:
            for row in tx.all("worktree.live", repo_id=repo.id):
                _refuse_taken(row["name"], row["path"], wanted)
            now = tx.now()
            worktree = Worktree(
                id=new_id(),
                repo=repo.trunk or repo.git_dir,
                name=wanted.name,
                type=wanted.type,
                title=wanted.title,
                branch=start.branch,
                base=start.base,
                path=wanted.path,
                state="creating",
                created_at=to_datetime(now),
                used_at=to_datetime(now),
                agent=wanted.agent,
                pull_request=wanted.pull_request,
            )
            rows.insert(
                tx,
                worktree,
                repo,
                at=now,
                step="begun",
                made_branch=start.new,
                head=start.commit,
                owner=owner(),
            )
            return worktree

        return self._store.write(unit, lock=[f"repo:{repo.id}"])

    def _check_out(self, repo: Repo, worktree: Worktree, start: Start, env: Env) -> tuple[str, ...]:
        # Following a remote branch writes the repository's configuration, whose lock git does not
        # wait for.
        alone = self._locks.held(repo.id, "config") if start.track else contextlib.nullcontext()
        with alone:
            return git.add(
                repo.git_dir,
                worktree.path,
                branch=start.branch,
                base=start.commit,
                new_branch=start.new,
                track=start.track,
                env={**(env or {}), MARK: worktree.id},
            )

    def finish(
        self, repo: Repo, worktree: Worktree, wanted: Wanted | None = None, *, warnings: tuple[str, ...] = ()
    ) -> Added:
        """From `checked-out` on; each step applied twice is applied once. Raises as `make` does."""
        linked, provided = Linked(), Provided()
        if self._linker is not None:
            try:
                linked = self._linker.link(worktree, repo)
            except ZdriverError as error:
                warnings += (f"sync/ was not applied: {error.message}",)
        reached(point("linked"))
        if self._resources is not None:
            try:
                provided = self._resources.provide(worktree, repo)
            except ZdriverError as error:
                warnings += (f".zdriver.toml was not applied: {error.message}",)
        reached(point("provided"))
        if Path(worktree.path, ".gitmodules").is_file():
            warnings += (EMPTY_SUBMODULES,)
        added = Added(
            worktree=msgspec.structs.replace(worktree, state="ready"),
            created=True,
            linked=linked,
            provided=provided,
            warnings=warnings,
        )
        added = self._ready(added, wanted)
        reached(point("ready"))
        return added

    def _ready(self, added: Added, wanted: Wanted | None) -> Added:
        worktree = added.worktree

        def unit(tx: Transaction) -> Added:
            now = tx.now()
            if not tx.run("worktree.ready", id=worktree.id, at=now):
                raise Conflict(
                    f"{worktree.name} was taken back by somebody else while it was made",
                    hint="do it again",
                )
            done = msgspec.structs.replace(worktree, used_at=to_datetime(now))
            tx.emit(rows.event("worktree.created", done, agent=done.agent))
            return msgspec.structs.replace(added, worktree=done)

        return self._store.write(
            unit,
            lock=[f"worktree:{worktree.id}"],
            request=wanted.request if wanted else "",
            digest=wanted.digest if wanted else "",
            result=Added,
        )

    # ---- taking back --------------------------------------------------------------------

    def undo(
        self, repo: Repo, worktree: Worktree, *, made_branch: bool, head: str, ours: bool = False
    ) -> bool:
        """Take away what was made of it; False when something could not be, and the row stays.

        made_branch, head: the branch goes too, if it stands at that commit still
        ours: all in the folder was made by this very call; else a file that a checkout of `head`
              does not explain keeps it from being deleted
        """
        done = all(
            _tried(what, step)
            for what, step in (
                ("links", lambda: self._unlink(repo, worktree)),
                ("ports", lambda: self._free(worktree)),
                ("folder", lambda: _take_away(repo, worktree, head, ours=ours)),
                ("branch", lambda: _delete_branch(repo, worktree.branch, head) if made_branch else None),
            )
        )
        return done and _tried(
            "row",
            lambda: self._store.write(
                lambda tx: tx.run("worktree.never_made", id=worktree.id, at=tx.now()),
                lock=[f"worktree:{worktree.id}"],
                urgent=True,
            ),
        )

    def _unlink(self, repo: Repo, worktree: Worktree) -> None:
        if self._linker is not None:
            self._linker.unlink(worktree, repo)

    def _free(self, worktree: Worktree) -> None:
        if self._resources is not None:
            self._resources.free(worktree.id)


def refuse_in_the_way(path: str) -> None:
    """Raises Conflict when something is at `path` already; an empty folder is not in the way."""
    if not os.path.lexists(path):
        return
    there = Path(path)
    if there.is_symlink():
        what = "a link"
    elif not there.is_dir():
        what = "a file"
    elif any(there.iterdir()):
        what = "a folder with something in it"
    else:
        return
    raise Conflict(f"{path} is in the way: {what}", hint="move it away, or choose another name")


def _refuse_taken(name: str, path: str, wanted: Wanted) -> None:
    if name == wanted.name:
        raise Conflict(f"there is a worktree {name} already", hint=f"zdriver go {name}")
    if key(name) == key(wanted.name):
        raise Conflict(
            f"there is a worktree {name}, which differs from {wanted.name} only in upper and lower case",
            hint=f"zdriver go {name}, or choose another name: not every file system tells them apart",
        )
    if path == wanted.path:
        raise Conflict(f"the worktree {name} lies at {path} already", hint=f"zdriver go {name}")


def _make_container(path: str, env: Env) -> bool:
    """The folder that `path` lies in; True when it had to be made. Raises Unavailable, StorageFull."""
    container = Path(path).parent
    if container.is_dir():
        if not os.access(container, os.W_OK | os.X_OK):
            raise _unwritable(container)
        return False
    try:
        umask.make_folder(container, env)
    except (FileExistsError, NotADirectoryError) as error:
        raise Conflict(
            f"{container} is in the way: worktrees go below it, and it is no folder",
            hint="move it away, or set worktrees.path",
        ) from error
    except OSError as error:
        raise paths.unwritable(container, error, instead=_ELSEWHERE) from error
    return True


_ELSEWHERE = ", or set worktrees.path to another one"


def _unwritable(container: Path) -> ZdriverError:
    """os.access does not say why: a file system mounted read-only, or a folder of somebody else's."""
    read_only = os.statvfs(container).f_flag & os.ST_RDONLY
    number = errno.EROFS if read_only else errno.EACCES
    return paths.unwritable(container, OSError(number, os.strerror(number)), instead=_ELSEWHERE)


def _take_away(repo: Repo, worktree: Worktree, head: str, *, ours: bool) -> None:
    """Its folder and git's entry for it. Raises Conflict when something there is not ours."""
    path = worktree.path
    entry = next((each for each in git.listed(repo.git_dir) if each.path == path), None)
    if entry is not None and entry.branch != worktree.branch:
        raise Conflict(f"{path} is another worktree by now")
    if not ours and Path(path).is_dir():
        foreign = strangers(repo.git_dir, path, head)
        if foreign:
            raise Conflict(
                f"{path} holds {foreign[0]!r}, which git did not put there",
                hint="move it away, then run zdriver worktree repair",
            )
    if entry is not None:
        git.unlock(repo.git_dir, path)
        git.remove(repo.git_dir, path, force=True)
    if Path(path).is_dir() and not Path(path).is_symlink():
        shutil.rmtree(path)


def _delete_branch(repo: Repo, branch: str, head: str) -> None:
    """If it stands where it was made, and nobody has it checked out."""
    if branches.local(repo.git_dir, branch) == head and not branches.checked_out_at(repo.git_dir, branch):
        branches.delete(repo.git_dir, branch, expect=head)


def _tried(what: str, step: Callable[[], object]) -> bool:
    try:
        step()
    except (ZdriverError, OSError) as error:
        log.warning("a worktree that was not made: its %s could not be taken back: %s", what, error)
        return False
    return True
