"""What `remove`, `merge` and `prune` share: hooks around a removal, and where the shell lands."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from zdriver.cli.hooking import ready, run_hook
from zdriver.cli.output import answer, dim, green, note, printable, settings, show_error, yellow
from zdriver.cli.travel import go_to
from zdriver.cli.worktree_words import finished_anyway
from zdriver.core import caller
from zdriver.core.errors import Ambiguous, Conflict, InvalidInput, NotFound, Unavailable, ZdriverError
from zdriver.core.ids import short
from zdriver.worktrees.model import Removed, Worktree
from zdriver.worktrees.rules import is_path

if TYPE_CHECKING:
    from zdriver.library import Driver

T = TypeVar("T")


class Leaving:
    """One command's removals, of which one may be of the folder that it stands in."""

    def __init__(self, driver: Driver, *, hooks: bool, force: bool = False) -> None:
        """force: a pre-remove hook that fails does not stop it. Raises Unavailable in a deleted folder."""
        self._driver = driver
        self._hooks = hooks
        self._force = force
        self._began = self.cwd = caller.cwd()  #: cwd: a folder that is there, to ask from
        self._here = os.path.realpath(self.cwd)
        self._failed = False
        self._after: Callable[[], bool] = lambda: True

    def meant(self, name: str) -> str:
        """`name` as it can still be understood when the current folder is gone: paths whole.

        Raises InvalidInput for a path to something in a worktree: this is no `rm`.
        """
        if not is_path(name):
            return name
        path = os.path.normpath(os.path.join(self._began, os.path.expanduser(name)))  # noqa: PTH111, PTH118 as text
        if name != "." and os.path.isdir(path) and not os.path.lexists(f"{path}/.git"):  # noqa: PTH112
            raise InvalidInput(
                f"{name} is no worktree, but a folder",
                hint="name the worktree, or its topmost folder; `zdriver worktree list` shows them",
            )
        return path

    def go(self, name: str, check: Callable[[], Worktree], take: Callable[[], T]) -> T:
        """`take` the worktree away, its hook pre-remove before. What `after` does is for later.

        check  raises what speaks against it; asked before a hook may have torn something down

        Raises Conflict when the hook failed, and what `check` and `take` raise.
        """
        self._after = lambda: True
        if self._hooks and self._has_hooks(name):
            meant = check()
            if not run_hook(self._driver, name, "pre-remove", cwd=self.cwd):
                if not self._force:
                    raise Conflict(
                        f"{meant.name} stays: its hook pre-remove failed",
                        hint="mend what it says; or leave it out: --no-hooks",
                    )
                note(yellow("! removed in spite of its hook: --force"))
            self._after = ready(self._driver, name, "post-remove", cwd=self.cwd)
        with finished_anyway():
            return take()

    def after(self) -> None:
        """The hook post-remove of the worktree that went last."""
        self._failed |= not self._after()

    def _has_hooks(self, name: str) -> bool:
        """Without a folder there is no hook, and a removal says better what is wrong with it."""
        try:
            hooks = self._driver.hooks
            return any(hooks.pending(name, each, cwd=self.cwd) for each in ("pre-remove", "post-remove"))
        except (NotFound, Unavailable):
            return False
        except Ambiguous:
            raise
        except InvalidInput as error:
            raise InvalidInput(error.message, hint=f"{error.hint}; or --no-hooks") from error

    def gone(self, removed: Removed) -> bool:
        """Take note of it; whether the command stands in what was removed."""
        path = removed.worktree.path
        inside = self._here == path or self._here.startswith(path.rstrip("/") + "/")
        if inside:
            self.cwd = removed.land_at
        return inside

    def each(self, names: Sequence[str], take: Callable[[str], Removed]) -> int:
        """`take` all of them; what is refused is said, and the rest goes. The exit code.

        Raises what speaks against it where there is one name only.
        """
        code = 0
        for name in names:
            try:
                removed = take(name)
            except ZdriverError as error:
                if len(names) == 1:
                    raise
                show_error(error, json=settings().json)
                code = code or error.exit_code
                continue
            _show(removed, inside=self.gone(removed))
            self.after()
        return self.land() or code

    def land(self) -> int:
        """Let the shell go where it can stand, if need be; the exit code."""
        if self.cwd != self._began and self.cwd:
            go_to(self.cwd)
        return int(self._failed)


def _show(removed: Removed, *, inside: bool) -> None:
    """In words; on stderr where the path that the shell goes to follows on stdout."""
    branch = f", and its branch {printable(removed.worktree.branch)}" if removed.branch_deleted else ""
    first = f"{green('✓')} {printable(removed.worktree.name)} is removed{branch}"
    report(removed, "\n".join([first, *told(removed)]), aside=inside)


def report(data: object, words: str, *, aside: bool) -> None:
    """The answer; `aside`: stdout is for a path, so words go to stderr."""
    if aside and not settings().json:
        note(words)
    else:
        answer(data, lambda: words)


def told(removed: Removed) -> list[str]:
    """What was kept, and how it comes back: one line each."""
    lines = [f"  {printable(part)}" for part in removed.kept.split("; ") if part]
    if removed.kept.startswith("kept "):
        lines.append(dim(f"  back again: zdriver worktree recover {short(removed.id)}"))
    return lines
