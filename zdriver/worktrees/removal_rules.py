"""What speaks against removing a worktree, and what becomes of what lies in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from zdriver.core.errors import Ambiguous, Conflict, NotFound, Unavailable, ZdriverError
from zdriver.worktrees.model import Removal
from zdriver.worktrees.names import key
from zdriver.worktrees.ports import Running

#: Days that a removal can be recovered.
KEPT_DAYS = 14
KEPT_US = KEPT_DAYS * 86_400_000_000
#: Things of one kind that are named in a message.
_NAMED = 3


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen of one worktree, at one moment."""

    head: str = ""  #: commit; "": there is none yet
    trunk: bool = False
    foreign: bool = False  #: git knows it, zdriver does not
    missing: bool = False  #: its folder is gone
    staged: int = 0
    changed: int = 0
    conflicted: int = 0
    untracked: tuple[str, ...] = ()  #: files, and repositories that lie in it, as `folder/`
    hidden: tuple[str, ...] = ()  #: changed, but flagged assume-unchanged or skip-worktree
    copies: tuple[str, ...] = ()  #: of sync/, changed since they were copied
    unpushed: int = 0  #: commits on no remote and not in its base
    stray: bool = False  #: HEAD is detached: those commits are on no branch either
    operation: str = ""
    submodules: tuple[str, ...] = ()  #: those with work in them
    lock: str | None = None  #: the reason given to `git worktree lock`; None: not locked
    holding: tuple[str, ...] = ()  #: worktrees, or the repository itself, that lie in it
    mounts: tuple[str, ...] = ()  #: other file systems in it
    running: tuple[Running, ...] = ()
    claim: str = ""  #: why the guard says no
    claim_hint: str = ""
    fixed: str = ""  #: why its folder cannot be moved


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that speaks against it."""

    what: str
    todo: str
    forcible: bool = True  #: --force goes on in spite of it, and keeps what it is about
    unable: bool = False  #: the system says no, not zdriver


def reasons(found: Findings) -> tuple[Reason, ...]:
    """Every reason at once, the ones that no force overcomes first."""
    return (*_absolute(found), *_work(found), *_busy(found))


def against(found: Findings, *, force: bool) -> tuple[Reason, ...]:
    """The reasons that count."""
    return tuple(each for each in reasons(found) if not (force and each.forcible))


def _absolute(found: Findings) -> tuple[Reason, ...]:
    """What --force does not overcome."""
    every: tuple[tuple[bool, str, str], ...] = (
        (found.trunk, "it is the trunk, the repository's main worktree", "the trunk stays"),
        (found.foreign, "it was not made by zdriver", "`zdriver worktree adopt PATH` takes it in"),
        (bool(found.claim), found.claim, found.claim_hint or "`zdriver claims` shows who holds what"),
        (
            found.lock is not None,
            f"git has it locked{f' ({found.lock})' if found.lock else ''}",
            "`git worktree unlock PATH`",
        ),
        (
            bool(found.holding),
            f"{listed(found.holding)} {'lies' if len(found.holding) == 1 else 'lie'} in it",
            "remove or move what lies in it first",
        ),
        (
            bool(found.mounts),
            f"another file system is mounted in it at {listed(found.mounts)}",
            "unmount that first",
        ),
        (bool(found.fixed), found.fixed, "give yourself the right to write there"),
    )
    return tuple(
        Reason(what=what, todo=todo, forcible=False, unable=what == found.fixed)
        for holds, what, todo in every
        if holds
    )


def _work(found: Findings) -> tuple[Reason, ...]:
    """What would be lost."""
    tracked = (
        (found.conflicted, "conflicted"),
        (found.staged, "staged"),
        (found.changed, "changed"),
    )
    parts = ", ".join(f"{count} {word}" for count, word in tracked if count)
    every: tuple[tuple[bool, str, str], ...] = (
        (
            bool(found.operation),
            f"a {found.operation} is under way",
            f"finish it, or `git {found.operation} --abort`",
        ),
        (bool(parts), f"uncommitted changes ({parts})", "commit them"),
        (
            bool(found.hidden),
            f"changes that git was told not to see ({listed(found.hidden)})",
            "`git update-index --no-assume-unchanged --no-skip-worktree FILE` shows them",
        ),
        (
            bool(found.untracked),
            f"{counted(len(found.untracked), 'untracked file')} ({listed(found.untracked)})",
            "add, move or delete them",
        ),
        (
            found.unpushed > 0,
            f"{counted(found.unpushed, 'commit')} that {'is' if found.unpushed == 1 else 'are'} nowhere else"
            f"{', not on a branch either' if found.stray else ''}",
            "push or merge them",
        ),
        (
            bool(found.submodules),
            f"work in {'a submodule' if len(found.submodules) == 1 else 'submodules'}"
            f" ({listed(found.submodules)})",
            "commit and push that there",
        ),
    )
    return tuple(Reason(what=what, todo=todo) for holds, what, todo in every if holds)


def _busy(found: Findings) -> tuple[Reason, ...]:
    if not found.running:
        return ()
    some = [f"{each.command} (pid {each.pid})" for each in found.running]
    verb = "runs" if len(some) == 1 else "run"
    return (Reason(what=f"{listed(tuple(some))} {verb} in it", todo="end what runs there"),)


def refusal(name: str, against: tuple[Reason, ...], *, verb: str = "removed") -> ZdriverError:
    """One line with all of them, and what to do about each: Conflict, or Unavailable."""
    todo = "; ".join(dict.fromkeys(each.todo for each in against))
    if verb == "removed" and all(each.forcible for each in against):
        todo += f"; or --force, which keeps all of it {KEPT_DAYS} days for `zdriver worktree recover`"
    kind = Unavailable if any(each.unable for each in against) else Conflict
    return kind(f"{name} is not {verb}: {'; '.join(each.what for each in against)}", hint=todo)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a removal did with what it found."""

    head: str = ""
    work: bool = False
    files: int = 0  #: untracked and ignored ones, moved to the trash
    ignored: int = 0  #: deleted
    submodules: int = 0
    operation: str = ""
    branch: str = ""
    branch_deleted: bool = False
    remote: str = ""  #: what became of the branch on the remote, "" when that was not asked
    left: str = ""  #: a folder that could not be deleted


def told(outcome: Outcome, until: str) -> str:
    """What was kept, in words. `until`: a date."""
    kept = [
        word
        for holds, word in (
            (bool(outcome.head), f"commit {outcome.head[:10]}"),
            (outcome.work, "uncommitted changes"),
            (outcome.operation != "", f"the {outcome.operation} that was under way"),
            (outcome.files > 0, f"{counted(outcome.files, 'file')} that git does not track"),
            (outcome.submodules > 0, counted(outcome.submodules, "submodule")),
        )
        if holds
    ]
    said = [f"kept until {until}: {', '.join(kept)}"] if kept else []
    if outcome.branch and not outcome.branch_deleted:
        said.append(f"the branch {outcome.branch} stays")
    if outcome.remote:
        said.append(outcome.remote)
    if outcome.ignored:
        said.append(f"{counted(outcome.ignored, 'ignored file')} deleted")
    if outcome.left:
        said.append(f"{outcome.left} could not be deleted whole: delete it by hand")
    return "; ".join(said)


def may_delete_branch(*, made: bool, head: str, kept_ref: str, elsewhere: bool) -> bool:
    """Only a branch that zdriver made, whose tip lives on under a ref of ours, and nobody has open."""
    return made and bool(head) and bool(kept_ref) and not elsewhere


def meant(given: str, known: Sequence[Removal]) -> Removal:
    """Which of the removals (the newest first): an id, the end of one, a name, or a part of one.

    Raises NotFound; Ambiguous where the part is in several names.
    """
    asked = key(given)
    for fits in (
        lambda each: each.id == given,
        lambda each: len(given) >= 4 and each.id.endswith(given),
        lambda each: key(each.name) == asked,
        lambda each: asked != "" and key(each.name).endswith(f"-{asked}"),
        lambda each: len(asked) > 1 and asked in key(each.name),
    ):
        found = [each for each in known if fits(each)]
        names = sorted({each.name for each in found})
        if len(names) > 1:
            raise Ambiguous(f"{given!r} can mean {', '.join(names)}", hint="give more of the name, or its id")
        if found:
            return found[0]
    raise NotFound(
        f"nothing that was removed here is called {given!r}",
        hint="`zdriver worktree recover` lists what can be recovered",
    )


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: tuple[str, ...]) -> str:
    """The first few, on one line whatever is in the names."""
    shown = [name if name.isprintable() else repr(name) for name in names[:_NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
