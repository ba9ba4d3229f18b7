"""Hooks of `.zdriver.toml` on the user's terminal: asked about, run, and said how they ended.

Nothing here raises for what a hook does. Remarks go to stderr, with `--json` too: that a hook was
left out is for whoever reads the envelope as well.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
import msgspec

from zdriver.cli.output import bold, dim, hush, on_terminal, printable, red, yellow
from zdriver.core.errors import Conflict, ZdriverError
from zdriver.hooks.model import Hook, HookName, HookRun

if TYPE_CHECKING:
    from zdriver.library import Driver

#: Lines of a hook that a small terminal shows at once.
_MANY = 20
#: Letters that look like nothing: Hangul's fillers, Braille's blank.
_EMPTY = frozenset("\u115f\u1160\u3164\uffa0\u2800")
#: Enough of them to move what follows out of sight.
_BLANKS = re.compile(" {40,}")
#: How often a text is shown that changes while it is asked about.
_ASKED_MAX = 3


def run_hook(driver: Driver, worktree: str, hook: HookName, *, cwd: str = "", needed: bool = False) -> bool:
    """Run a hook if its text is approved; on a terminal it is asked about, else left out with a warning.

    worktree  a name, or a path
    needed    to be left out counts as a failure

    False: it failed, could not be started, or its file cannot be read; that was said. True: it ran
    well, there is none, or it was left out. Only in the main thread.
    """
    return ready(driver, worktree, hook, cwd=cwd, needed=needed)()


def ready(
    driver: Driver,
    worktree: str,
    hook: HookName = "post-remove",
    *,
    cwd: str = "",
    needed: bool = False,
) -> Callable[[], bool]:
    """Look up and ask now, run when called: for `post-remove`, whose file goes with the worktree.

    What was shown is what runs, whatever the file says by then. See `run_hook`.
    """
    hush()
    try:
        found = _allowed(driver, worktree, hook, cwd)
    except ZdriverError as error:
        _warn(f"the hook {hook} was not run: {error.message}", error.hint)
        return lambda: False
    if found is None:
        return lambda: True
    return lambda: _run(found) if found.approved else not needed


def _allowed(driver: Driver, worktree: str, hook: HookName, cwd: str) -> HookRun | None:
    """The hook, approved or not, said why if not; None: there is none. Raises ZdriverError."""
    for _ in range(_ASKED_MAX):
        found = driver.hooks.pending(worktree, hook, cwd=cwd)
        if found is None or found.approved:
            return found
        if not on_terminal():
            why = "it has changed since it was approved" if found.changed else "it is not approved"
            command = f"zdriver worktree hooks approve {found.worktree}"
            _warn(f"the hook {hook} of {found.worktree} was left out: {why}", f"read and allow it: {command}")
            return found
        show(found)
        if not click.confirm("Run it, and from now on whenever it has this very text?", err=True):
            _warn(f"the hook {hook} was left out", "")
            return found
        try:
            driver.hooks.approve(worktree, hook, digest=found.digest, cwd=cwd)
        except Conflict as error:
            _warn(error.message, "this is what it says now")
            continue
        return msgspec.structs.replace(found, approved=True)
    raise Conflict(f"the hook {hook} changes all the time", hint="zdriver worktree hooks list shows it")


def show(hook: Hook | HookRun) -> None:
    """The text that is asked about, on stderr; nothing of it can move the cursor."""
    changed = yellow(", which has changed since you approved it") if hook.changed else ""
    click.echo(f"{bold(printable(hook.worktree))} has a hook {bold(hook.hook)}{changed}:", err=True)
    click.echo(indented(hook.text), err=True)
    lines = hook.text.count("\n") + 1
    if lines > _MANY:
        click.echo(yellow(f"! {lines:,} lines; the first have scrolled away perhaps"), err=True)
    where = f"runs in {hook.cwd}" if isinstance(hook, HookRun) else f"stands in {hook.file}"
    click.echo(dim(f"It {printable(where)}."), err=True)
    if hook.reason:
        click.echo(yellow(f"! {printable(hook.reason)}"), err=True)


def indented(text: str) -> str:
    return "\n".join(f"  {legible(line)}" for line in text.split("\n"))


def legible(line: str) -> str:
    """What somebody is to agree to: all that is there is seen, also blanks in their number."""
    shown = "".join(c if c.isascii() or _is_seen(c) else f"\\u{ord(c):04x}" for c in line)
    return _BLANKS.sub(lambda run: f" [{len(run[0]):,} spaces] ", printable(shown))


def _is_seen(char: str) -> bool:
    return char.isprintable() and char not in _EMPTY and unicodedata.category(char) not in ("Mn", "Me")


def _run(hook: HookRun) -> bool:
    from zdriver.hooks.running import run

    hush()
    click.echo(dim(f"{hook.hook} of {printable(hook.worktree)} …"), err=True)
    try:
        ended = run(hook)
    except ZdriverError as error:
        _warn(error.message, error.hint)
        return False
    if ended.code:
        line = printable(ended.command.strip().split("\n")[0])
        said = f"the hook {hook.hook} of {hook.worktree} failed with exit code {ended.code}: {line}"
        again = f"again: zdriver worktree hooks run {hook.hook} {hook.worktree}"
        _warn(said, "" if hook.hook == "post-remove" else again)
    return not ended.code


def _warn(message: str, hint: str) -> None:
    click.echo(f"{red('!')} {printable(message)}", err=True)
    if hint:
        click.echo(f"  {printable(hint)}", err=True)
