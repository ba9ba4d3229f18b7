"""Bringing a removed worktree back: built aside, whole, and only then put in its place.

Until that last rename nobody can have worked in it, so a killed recovery is taken back: what came
out of the trash goes back there, and the removal can be recovered as before. After it, the rest
(links, ports, the store) is done once more.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from pathlib import Path

import msgspec

from zdriver.core import paths, umask
from zdriver.core.errors import Conflict, ZdriverError
from zdriver.core.killpoint import reached
from zdriver.git import branches, calling, contents, keeping, refs, submodules, worktrees
from zdriver.storage.port import Transaction
from zdriver.worktrees import distrust, removal_rules, rows, trash, trash_folders
from zdriver.worktrees.creating import EMPTY_SUBMODULES, refuse_in_the_way
from zdriver.worktrees.inspecting import look_inside
from zdriver.worktrees.journal import Journal, Ticket
from zdriver.worktrees.keepsakes import SETTINGS, STATE
from zdriver.worktrees.locks import owner
from zdriver.worktrees.model import Added, Linked, Provided, Repo
from zdriver.worktrees.ports import Linker, Resources
from zdriver.worktrees.steps import point

log = logging.getLogger(__name__)

_KINDS = (trash.FILES, trash.HIDDEN, trash.SUBMODULES)


class Recovering:
    def __init__(self, journal: Journal, linker: Linker | None, resources: Resources | None) -> None:
        self._journal = journal
        self._linker = linker
        self._resources = resources

    def recover(self, removal: str, repo: Repo, request: str = "", digest: str = "") -> Added:
        """removal: an id, its end, or the name of what was removed. Raises NotFound, Ambiguous, Conflict."""
        found = removal_rules.meant(removal, self._journal.removals(repo))
        ticket = self._journal.removed(found.id, repo)
        abandoned = ticket.worktree.id in self._journal.abandoned(repo.id)
        with self._journal.at_work(ticket.worktree):
            if abandoned and (done := self._once_more(ticket, request, digest)) is not None:
                return done
            refuse_in_the_way(ticket.worktree.path)
            ticket, warnings = _on_branch(ticket)
            self._begin(ticket)
            _at("began")
            try:
                warnings += self._build(ticket)
                self._place(ticket)
            except BaseException as error:
                self.back(ticket)
                if isinstance(error, OSError):
                    raise paths.unwritable(Path(error.filename or ticket.worktree.path), error) from error
                raise
            return self._finish(ticket, warnings, request, digest)

    def _once_more(self, ticket: Ticket, request: str, digest: str) -> Added | None:
        """A recovery of it was killed: to its end; None: it is as removed as before."""
        begun = self._journal.ticket(ticket.worktree.id, ticket.repo)
        if begun is None or begun.step != "recovering":
            return None
        return self.resume(begun, request, digest)

    def resume(self, ticket: Ticket, request: str = "", digest: str = "") -> Added | None:
        """A recovery whose process was killed. None: it is as removed as before."""
        worktree = ticket.worktree
        top = Path(worktree.path)
        own = keeping.pointed(str(top)) if top.is_dir() else ""
        if own and keeping.lock_reason(own) == _mark(ticket):
            self._place(ticket)
            placed = msgspec.structs.replace(ticket, branch=_branch_of(own))
            return self._finish(placed, (), request, digest)
        self.back(ticket)
        return None

    # ---- building ---------------------------------------------------------------------------

    def _begin(self, ticket: Ticket) -> None:
        worktree = ticket.worktree

        def unit(tx: Transaction) -> None:
            given = {"repo_id": ticket.repo.id, "name": worktree.name, "path": worktree.path}
            there = tx.one("removal.in_the_way", **given)
            if there is not None:
                raise Conflict(
                    f"there is a worktree {there['name']} at {there['path']} already",
                    hint="remove or rename that first; what was removed stays kept",
                )
            if not tx.run("removal.reopen", id=worktree.id, step=ticket.begun, owner=owner()):
                raise Conflict(f"{worktree.name} was recovered meanwhile", hint="zdriver worktree list")

        self._journal.store.write(unit, lock=[f"repo:{ticket.repo.id}"])

    def _build(self, ticket: Ticket) -> tuple[str, ...]:
        """The worktree, whole, where nobody looks; what is different from before."""
        git_dir, top = ticket.repo.git_dir, _staging(ticket)
        paths.make_folders(top.parent)
        worktrees.add(
            git_dir,
            str(top),
            branch=ticket.branch,
            base=ticket.head,
            new_branch=bool(ticket.making),
            lock=_mark(ticket),
            env=distrust.without_their_hooks(git_dir, {}),
        )
        _at("checked-out")
        own = keeping.pointed(str(top))
        if ticket.work:
            keeping.restore(str(top), own, ticket.work, ticket.head)
        _at("restored")
        into = Path(ticket.trash)
        refused = trash.put_back(into / trash.FILES, top, after_each=lambda: _at("untrashing"))
        _put_over(into / trash.HIDDEN, top)
        self._submodules(ticket, top, own)
        trash_folders.restore(top, into)
        self._state(ticket, top, own)
        _at("whole")
        warnings: tuple[str, ...] = ()
        if refused:
            warnings += (f"in the way of {', '.join(refused[:3])}: those stay in {into}",)
        if (top / ".gitmodules").is_file() and not Path(own, "modules").is_dir():
            warnings += (EMPTY_SUBMODULES,)
        return warnings

    def _submodules(self, ticket: Ticket, top: Path, own: str) -> None:
        """Their folders, and their repositories, which lie in git's folder of the worktree."""
        kept, modules = Path(ticket.trash, trash.SUBMODULES), ticket.home / trash.ADMIN / "modules"
        if modules.is_dir() and not Path(own, "modules").exists():
            modules.rename(Path(own, "modules"))
        for folder in _tops(kept):
            name = str(folder.relative_to(kept))
            target = top / name
            with contextlib.suppress(OSError):
                target.rmdir()  # empty: git makes it so
            trash.move(folder, target)
        trash.drop_empty(kept)
        submodules.point(own, str(top), known=_places(ticket))

    def _state(self, ticket: Ticket, top: Path, own: str) -> None:
        """A merge, rebase … that was under way is so again, with its conflicts; and which files git was
        told not to see, or not to check out.
        """
        admin = ticket.home / trash.ADMIN
        index = admin / "index"
        under_way = False
        for name in STATE:
            source, target = admin / name, Path(own, name)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif source.is_file():
                paths.make_folders(target.parent)
                shutil.copy2(source, target)
            under_way |= source.exists() and name not in SETTINGS
        if under_way and index.is_file():
            shutil.copy2(index, Path(own, "index"))
        if (admin / "info" / "sparse-checkout").is_file():
            place = contents.where(str(top), own)
            calling.write(place, ("sparse-checkout", "reapply"), ok=calling.ANY)
        if index.is_file() and not under_way:
            keeping.flag(str(top), own, str(index))

    # ---- its place --------------------------------------------------------------------------

    def _place(self, ticket: Ticket) -> None:
        """One rename. git's links follow. Raises OSError, Conflict."""
        staging, target = _staging(ticket), Path(ticket.worktree.path)
        if staging.exists():
            refuse_in_the_way(str(target))
            umask.make_folder(target.parent)
            with contextlib.suppress(OSError):
                target.rmdir()
            staging.rename(target)
        _at("placed")
        worktrees.repair(ticket.repo.git_dir, (str(target),))
        submodules.point(keeping.pointed(str(target)), str(target), known=_places(ticket))
        with contextlib.suppress(OSError):
            staging.parent.rmdir()

    def _finish(self, ticket: Ticket, warnings: tuple[str, ...], request: str, digest: str) -> Added:
        branch = ticket.branch
        worktree = msgspec.structs.replace(ticket.worktree, state="ready", branch=branch)
        linked, provided = Linked(), Provided()
        try:
            if self._linker is not None:
                linked = self._linker.link(worktree, ticket.repo)
            if self._resources is not None:
                provided = self._resources.provide(worktree, ticket.repo)
        except ZdriverError as error:
            warnings = (*warnings, error.message)
        _at("linked")
        keeping.unlock(keeping.pointed(worktree.path), _mark(ticket))
        made = bool(ticket.making) or (ticket.made_branch and branch == ticket.worktree.branch)

        def unit(tx: Transaction) -> Added:
            now = tx.now()
            tx.run(
                "removal.recovered_worktree",
                id=worktree.id,
                branch=branch,
                path=worktree.path,
                made_branch=int(made),
                at=now,
            )
            tx.run("removal.recovered", id=ticket.id, at=now)
            tx.emit(rows.event("worktree.recovered", worktree, removal=ticket.id))
            return Added(worktree=worktree, created=True, linked=linked, provided=provided, warnings=warnings)

        lock = [f"worktree:{worktree.id}"]
        added = self._journal.store.write(unit, lock=lock, request=request, digest=digest, result=Added)
        _at("ready")
        trash.delete(Path(ticket.trash, trash.HIDDEN))
        trash_folders.drop(Path(ticket.trash))
        return added

    # ---- back -------------------------------------------------------------------------------

    def back(self, ticket: Ticket) -> None:
        """As removed as it was: what came out of the trash goes back into it."""
        top, into = _staging(ticket), Path(ticket.trash)
        own = keeping.pointed(str(top)) if top.is_dir() else _own_of(ticket)
        if top.is_dir():
            if own and Path(own).is_dir():
                self._untake(ticket, top, own)
            if not trash.delete(top):
                raise Conflict(
                    f"{top} cannot be deleted", hint="delete it by hand, then zdriver worktree repair"
                )
        with contextlib.suppress(OSError):
            top.parent.rmdir()
        if own and Path(own).is_dir() and keeping.lock_reason(own) == _mark(ticket):
            shutil.rmtree(own)
        if ticket.making and branches.local(ticket.repo.git_dir, ticket.making) == ticket.head:
            branches.delete(ticket.repo.git_dir, ticket.making, expect=ticket.head)
        trash.drop_empty(into)
        self._journal.still_removed(ticket)

    def _untake(self, ticket: Ticket, top: Path, own: str) -> None:
        """All that git would not make again goes (back) to the trash."""
        into = Path(ticket.trash)
        modules = Path(own, "modules")
        if modules.is_dir():
            target = ticket.home / trash.ADMIN / "modules"
            paths.make_folders(target.parent)
            if not target.exists():
                for name in self._submodule_tops(top, own):
                    trash.keep(top, (name,), into / trash.SUBMODULES)
                modules.rename(target)
        seen = look_inside(ticket.repo, str(top), own, None)
        _, inside = trash.survey(top, seen.ignored)
        # What the trash has was not moved yet; a hook of git's may have made its like.
        names = (each.rstrip("/") for each in (*seen.findings.untracked, *seen.ignored, *inside))
        kept = into / trash.FILES
        trash.keep(top, [each for each in names if not os.path.lexists(kept / each)], kept)

    def _submodule_tops(self, top: Path, own: str) -> tuple[str, ...]:
        entries = calling.read(contents.where(str(top), own), ("ls-files", "-z", "-v", "-s")).out
        _, links = contents.parse_entries(entries)
        return tuple(each for each in links if os.path.lexists(top / each / ".git"))


def _at(step: str) -> None:
    reached(point(step, "recover"))


def _mark(ticket: Ticket) -> str:
    return f"zdriver recovers it ({ticket.id})"


def _staging(ticket: Ticket) -> Path:
    """Named as the worktree will be: git names its own folder by that."""
    zone = Path(ticket.trash).parent.parent
    path = ticket.worktree.path
    if not _same_disk(zone, Path(path)):
        zone = trash.zone(path, ticket.repo.git_dir)
    return trash.folder(zone, "recovering", ticket.id) / ticket.worktree.name


def _places(ticket: Ticket) -> tuple[str, ...]:
    """Where the worktree may have been when its submodules were told so."""
    return (ticket.worktree.path, str(ticket.aside), str(_staging(ticket)))


def _same_disk(zone: Path, path: Path) -> bool:
    return trash.standing(zone).stat().st_dev == trash.standing(path.parent).stat().st_dev


def _own_of(ticket: Ticket) -> str:
    return keeping.own_dir(ticket.repo.git_dir, str(_staging(ticket)))


def _branch_of(own: str) -> str:
    return (refs.symbolic(own, "HEAD") or "").removeprefix("refs/heads/")


def _on_branch(ticket: Ticket) -> tuple[Ticket, tuple[str, ...]]:
    """Which branch it comes back on (`making`: that has to be made), and a warning if that is another
    one. Raises Conflict when there is nothing to come back to.
    """
    git_dir, name, head = ticket.repo.git_dir, ticket.branch, ticket.head
    if not head:
        raise Conflict(
            f"{ticket.worktree.name} had no commit to come back to",
            hint=f"its files lie in {ticket.trash}" if ticket.trash else "nothing was in it",
        )
    if not name:
        return ticket, ()
    tip = branches.local(git_dir, name)
    if tip is None:
        return msgspec.structs.replace(ticket, making=name), ()
    if tip == head and branches.checked_out_at(git_dir, name) is None:
        return ticket, ()
    why = "has other commits by now" if tip != head else "is checked out elsewhere"
    other = _free_name(git_dir, name)
    warning = f"the branch {name} {why}: it came back on {other}"
    return msgspec.structs.replace(ticket, branch=other, making=other), (warning,)


def _free_name(git_dir: str, name: str) -> str:
    """`name-recovered`, and so on: a branch that is not there."""
    for number in range(1, 1000):
        made = f"{name}-recovered" + ("" if number == 1 else f"-{number}")
        if branches.local(git_dir, made) is None:
            return made
    raise Conflict(f"there is no free name for the branch {name}", hint="delete some of its likes")


def _put_over(kept: Path, top: Path) -> None:
    """Files that git tracks, with changes that it was told not to see: they replace what was checked out.

    Copies: if the recovery is killed, nothing tells these from what git made.
    """
    for where, _, files in os.walk(kept):
        for name in files:
            source = Path(where, name)
            target = top / source.relative_to(kept)
            target.unlink(missing_ok=True)
            trash.copy(source, target)


def _tops(kept: Path) -> list[Path]:
    """Folders of submodules, the outer ones."""
    found = []
    for where, names, files in os.walk(kept):
        if ".git" in names or ".git" in files:
            found.append(Path(where))
            names.clear()
    return sorted(found)
