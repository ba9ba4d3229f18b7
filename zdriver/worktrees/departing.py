"""Removing one worktree, step by step, so that a kill at any point leaves all work reachable.

    began      git has it locked; links of sync/ are taken out; the folder is renamed aside, which no
               process can half undo; then it is looked at once more. From here it goes back.
    keeping    what it holds gets refs, or is moved to the trash.
    kept       git forgets it, branch and folder are deleted. It only goes forwards.

`steps` of a journal are written before they begin. Each of them, done twice, is done once.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
from datetime import timedelta
from pathlib import Path

import msgspec

from zdriver.core import paths
from zdriver.core.clock import now_us, to_datetime
from zdriver.core.errors import Conflict, Unavailable, ZdriverError
from zdriver.core.killpoint import reached
from zdriver.git import branches, contents, keeping, submodules, worktrees
from zdriver.worktrees import inspecting, pullrefs, removal_rules, trash, trash_folders
from zdriver.worktrees.inspecting import Seen
from zdriver.worktrees.journal import Journal, Ticket
from zdriver.worktrees.keepsakes import STATE, also_ref, delete_remote, kept_ref, work_ref
from zdriver.worktrees.model import Removed
from zdriver.worktrees.ports import Linker, Resources
from zdriver.worktrees.removal_rules import Outcome
from zdriver.worktrees.steps import point

log = logging.getLogger(__name__)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How it is to be removed."""

    force: bool = False
    delete_remote: bool = False
    env: dict[str, str] | None = None
    again: bool = False  #: a process runs in it, and may write while it is kept
    request: str = ""
    digest: str = ""


class Departing:
    def __init__(self, journal: Journal, linker: Linker | None, resources: Resources | None) -> None:
        self._journal = journal
        self._linker = linker
        self._resources = resources

    def go(self, ticket: Ticket, seen: Seen, wanted: Wanted) -> Removed:
        """From the journal's `began` to the end. Raises Conflict when something came up in the last
        moment, Unavailable, StorageFull; all is as it was then.
        """
        try:
            ticket, seen = self._aside(ticket, seen, wanted)
            ticket = self._journal.step(ticket, "keeping")
            _at("keeping")
            ticket, outcome = self._keep(ticket, seen, wanted)
        except BaseException as error:
            self.back(self._journal.ticket(ticket.worktree.id, ticket.repo) or ticket)
            if isinstance(error, OSError):
                raise _unable(ticket, error) from error
            raise
        return self._leave(ticket, outcome, wanted)

    def resume(self, ticket: Ticket) -> Removed | None:
        """A removal whose process was killed: to its end, or (None) back to where it was."""
        wanted = Wanted(force=True, again=True)
        if ticket.step == "began":
            self.back(ticket)
            return None
        if ticket.step == "keeping":
            try:
                own = _own(ticket)
                seen = Seen(findings=removal_rules.Findings(missing=True), own=own)
                if ticket.aside.exists():
                    submodules.point(own, str(ticket.aside), known=_places(ticket))
                    seen = inspecting.look_inside(ticket.repo, str(ticket.aside), own, None)
                ticket, outcome = self._keep(ticket, seen, wanted)
            except (ZdriverError, OSError) as error:
                log.warning("the removal of %s is taken back: %s", ticket.worktree.name, error)
                self.back(ticket)
                return None
        else:
            outcome = Outcome(head=ticket.head, work=bool(ticket.work), branch=ticket.branch)
        return self._leave(ticket, outcome, wanted)

    # ---- began ----------------------------------------------------------------------------

    def _aside(self, ticket: Ticket, seen: Seen, wanted: Wanted) -> tuple[Ticket, Seen]:
        worktree, own = ticket.worktree, seen.own
        _at("began")
        if own:
            with contextlib.suppress(FileExistsError):  # of a folder that is gone: it may be locked
                keeping.lock(own, ticket.mark)
        _at("locked")
        if seen.findings.missing:
            return ticket, seen
        copies = self._journal.copies(worktree)
        if self._linker is not None:
            self._linker.unlink(worktree, ticket.repo)
        _at("unlinked")
        ticket = self._rename(ticket)
        _at("aside")
        top = str(ticket.aside)
        submodules.point(own, top, known=_places(ticket))
        still = inspecting.look_inside(ticket.repo, top, own, wanted.env)
        against = removal_rules.against(still.findings, force=wanted.force)
        if against:
            raise removal_rules.refusal(worktree.name, against)
        # A copy of sync/ that was changed is left by `unlink`, and git ignores it.
        changed = tuple(each for each in copies if os.path.lexists(f"{top}/{each}"))
        untracked = tuple(dict.fromkeys((*still.findings.untracked, *changed)))
        findings = msgspec.structs.replace(still.findings, untracked=untracked)
        return ticket, msgspec.structs.replace(still, findings=findings)

    def _rename(self, ticket: Ticket) -> Ticket:
        """Out of its place, in one step. Raises OSError."""
        source = Path(ticket.worktree.path)
        paths.make_folders(ticket.aside.parent)
        try:
            source.rename(ticket.aside)
        except OSError as error:
            zone = trash.beside(ticket.worktree.path)
            if error.errno != errno.EXDEV or Path(ticket.trash).parent.parent == zone:
                raise
            ticket = self._journal.elsewhere(ticket, str(trash.folder(zone, "trash", ticket.id)))
            paths.make_folders(ticket.aside.parent)
            source.rename(ticket.aside)
        return ticket

    # ---- keeping --------------------------------------------------------------------------

    def _keep(self, ticket: Ticket, seen: Seen, wanted: Wanted) -> tuple[Ticket, Outcome]:
        """Refs for what is committed, a commit for what is changed, the trash for the rest."""
        repo, own = ticket.repo, seen.own
        if not own:
            return self._journal.kept(ticket), Outcome(branch=ticket.branch)
        head = seen.findings.head
        ref = kept_ref(ticket.id) if head else ""
        if head:
            branches.set_ref(repo.git_dir, ref, head)
            _at("ref")
        if seen.findings.missing:
            work, files, ignored, submodules = keeping.save_index(own, head, wanted.env), 0, 0, 0
        else:
            work, files, ignored, submodules = self._keep_files(ticket, seen, wanted)
        if work:
            branches.set_ref(repo.git_dir, work_ref(ticket.id), work)
        ends = contents.loose_ends(own, wanted.env)
        if ends:
            keeping.tie(repo.git_dir, also_ref(ticket.id), ends)
        _at("work")
        kept = self._journal.kept(msgspec.structs.replace(ticket, head=head, ref=ref, work=work))
        _at("kept")
        return kept, Outcome(
            head=head,
            work=bool(work),
            files=files,
            ignored=ignored,
            submodules=submodules,
            operation=seen.findings.operation,
            branch=ticket.branch,
        )

    def _keep_files(self, ticket: Ticket, seen: Seen, wanted: Wanted) -> tuple[str, int, int, int]:
        """(commit of changes, files that are kept, ignored ones that are not, submodules that are)."""
        top, into = ticket.aside, Path(ticket.trash)
        moved = _Counted()
        work, files, deleted = "", 0, 0
        for again in range(3 if wanted.again else 1):
            if again:  # somebody may have written since
                seen = inspecting.look_inside(ticket.repo, str(top), seen.own, wanted.env)
            found = seen.findings
            if found.staged or found.changed or found.conflicted or wanted.again:
                work = keeping.save(str(top), seen.own, found.head, wanted.env)
            small = trash.worth_keeping(top, seen.ignored)
            large = set(seen.ignored).difference(small)
            count, inside = trash.survey(top, () if again else sorted(large))
            deleted += count
            kept = (*found.untracked, *inside, *small)
            trash_folders.note(top, (*kept, *found.hidden), into, without=seen.ignored)
            done = moved.count
            trash.keep(top, found.hidden, into / trash.HIDDEN, after_each=moved)
            trash.keep(top, kept, into / trash.FILES, after_each=moved)
            files += moved.count - done
            if again and moved.count == done:
                break
        submodules = trash.keep(top, found.submodules, into / trash.SUBMODULES)
        return work, files, deleted, submodules

    # ---- kept -----------------------------------------------------------------------------

    def _leave(self, ticket: Ticket, outcome: Outcome, wanted: Wanted) -> Removed:
        """git forgets it, the branch goes, the folder is deleted, the store says so."""
        try:
            self._forget(ticket)
            _at("forgotten")
            outcome = self._branches(ticket, outcome, wanted)
            pullrefs.after_removal(ticket.repo, ticket.worktree)
            if self._resources is not None:
                self._resources.free(ticket.worktree.id)
            gone = trash.delete(ticket.aside)
        except OSError as error:
            raise _unable(ticket, error) from error
        _at("deleted")
        outcome = msgspec.structs.replace(outcome, left="" if gone else str(ticket.aside))
        until = to_datetime(now_us()) + timedelta(days=removal_rules.KEPT_DAYS)
        answer = Removed(
            id=ticket.id,
            worktree=msgspec.structs.replace(ticket.worktree, state="removed"),
            branch_deleted=outcome.branch_deleted,
            kept=removal_rules.told(outcome, f"{until:%Y-%m-%d}"),
            land_at=ticket.repo.trunk or ticket.repo.container,
        )
        kept = ticket.trash if _holds(Path(ticket.trash)) else str(ticket.home) if _holds(ticket.home) else ""
        answer = self._journal.finish(ticket, answer, kept, wanted.request, wanted.digest)
        _at("removed")
        return answer

    def _forget(self, ticket: Ticket) -> None:
        """git's folder of the worktree goes to the trash whole; what is worth nothing is deleted there."""
        own, admin = _own(ticket), ticket.home / trash.ADMIN
        if own and Path(own).is_dir():
            if admin.exists():  # git made one of that name since a killed run moved it
                return
            paths.make_folders(admin.parent)
            Path(own).rename(admin)
            with contextlib.suppress(OSError):
                Path(own).parent.rmdir()  # as git does with the last one
        if not admin.is_dir():
            return
        if not (
            _holds(Path(ticket.trash, trash.SUBMODULES))
            or _holds(Path(ticket.trash, trash.HIDDEN))
            or any((admin / name).exists() for name in STATE)
        ):
            shutil.rmtree(admin, ignore_errors=True)
            with contextlib.suppress(OSError):
                ticket.home.rmdir()

    def _branches(self, ticket: Ticket, outcome: Outcome, wanted: Wanted) -> Outcome:
        """Delete the branch if that is ours to do; the remote's only when that was asked."""
        repo, name = ticket.repo, ticket.branch
        if not name:
            return outcome
        remote = delete_remote(repo, name, ticket.head, wanted.env) if wanted.delete_remote else ""
        _at("remote")
        tip = branches.local(repo.git_dir, name)
        deleted = tip is None
        if tip is not None and removal_rules.may_delete_branch(
            made=ticket.made_branch and name == ticket.worktree.branch and name != repo.default_branch,
            head=tip if tip == ticket.head else "",
            kept_ref=ticket.ref,
            elsewhere=branches.checked_out_at(repo.git_dir, name) is not None,
        ):
            try:
                branches.delete(repo.git_dir, name, expect=tip)
                deleted = True
            except ZdriverError as error:
                log.warning("the branch %s stays: %s", name, error)
        _at("branch")
        return msgspec.structs.replace(outcome, branch_deleted=deleted, remote=remote)

    # ---- back -----------------------------------------------------------------------------

    def back(self, ticket: Ticket) -> None:
        """As it was: files, folder, lock, links, row. Raises Conflict when something took its place."""
        worktree, top = ticket.worktree, ticket.aside
        if ticket.step == "kept":
            return  # it goes forwards, at the next run
        if top.exists():
            trash.put_back(Path(ticket.trash, trash.FILES), top)
            trash.put_back(Path(ticket.trash, trash.HIDDEN), top)
            trash.put_back(Path(ticket.trash, trash.SUBMODULES), top)
            try:
                top.rename(worktree.path)  # an empty folder in its place is replaced
            except OSError as error:
                raise Conflict(
                    f"{worktree.path} is in the way: {worktree.name} waits at {top}",
                    hint="move it away, then `zdriver worktree repair`",
                ) from error
            with contextlib.suppress(ZdriverError):
                worktrees.repair(ticket.repo.git_dir, (worktree.path,))
        own = keeping.own_dir(ticket.repo.git_dir, worktree.path)
        if own:
            submodules.point(own, worktree.path, known=_places(ticket))
            keeping.unlock(own, ticket.mark)
        for ref in (kept_ref(ticket.id), work_ref(ticket.id), also_ref(ticket.id)):
            branches.delete_ref(ticket.repo.git_dir, ref)
        trash.drop_empty(Path(ticket.trash))
        trash_folders.drop(Path(ticket.trash))
        if self._linker is not None and Path(worktree.path).is_dir():
            try:
                self._linker.link(worktree, ticket.repo)
            except (ZdriverError, OSError) as error:
                log.warning("links of sync/ in %s: %s", worktree.path, error)
        self._journal.back(ticket)


class _Counted:
    """Counts what was moved; a test may end the process after the first."""

    count = 0

    def __call__(self) -> None:
        self.count += 1
        _at("trashing")


def _at(step: str) -> None:
    reached(point(step, "remove"))


def _own(ticket: Ticket) -> str:
    """git's folder of the worktree, wherever its files are by now; "" when git has none any more."""
    own = keeping.pointed(str(ticket.aside))
    if own:
        return own if Path(own).is_dir() else ""
    return keeping.own_dir(ticket.repo.git_dir, ticket.worktree.path)


def _places(ticket: Ticket) -> tuple[str, ...]:
    """Where the worktree may have been when its submodules were told so."""
    return (ticket.worktree.path, str(ticket.aside))


def _holds(folder: Path) -> bool:
    """Whether any file lies in it."""
    return any(files for _, _, files in os.walk(folder)) or any(
        Path(where, name).is_symlink() for where, names, _ in os.walk(folder) for name in names
    )


def _unable(ticket: Ticket, error: OSError) -> Unavailable:
    return paths.unwritable(Path(error.filename or ticket.worktree.path), error)
