"""`zdriver worktree hooks`: what .zdriver.toml wants to run, and what you allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zdriver.cli import hooking
from zdriver.cli.options import complete_worktrees, examples, json_option
from zdriver.cli.output import (
    answer,
    bold,
    dim,
    green,
    home_relative,
    note,
    on_terminal,
    plural,
    yellow,
)
from zdriver.cli.services import services
from zdriver.core.errors import InvalidInput, NotFound
from zdriver.hooks.model import FILE, HOOKS, Hook, HookName

if TYPE_CHECKING:
    from zdriver.library import Driver

_name_argument = click.argument("name", required=False, default="", shell_complete=complete_worktrees)
_hook_argument = click.argument("hook", metavar="HOOK", type=click.Choice(HOOKS))
_hook_option = click.option("--hook", metavar="HOOK", type=click.Choice(HOOKS), help="Only this one.")


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "zdriver worktree hooks list                     of the worktree you stand in",
        "zdriver worktree hooks approve feat-user-auth   read them, then allow them",
        "zdriver worktree hooks run post-create          once more",
    ),
)
@json_option
@click.pass_context
def hooks(ctx: click.Context) -> None:
    """Read and allow the commands of .zdriver.toml.

    They stand in .zdriver.toml under [hooks]: post-create and pre-remove run in the
    worktree, post-remove in the trunk. Each runs only after you allowed its very text.
    """
    if ctx.invoked_subcommand is None:
        _list("")


@hooks.command(
    name="list",
    epilog=examples("zdriver worktree hooks list", "zdriver worktree hooks list feat-user-auth --json"),
)
@_name_argument
@json_option
def list_(name: str) -> None:
    """List a worktree's hooks, and which may run."""
    _list(name)


@hooks.command(epilog=examples("zdriver worktree hooks show post-create feat-user-auth"))
@_hook_argument
@_name_argument
@json_option
def show(hook: HookName, name: str) -> None:
    """Show the text of one hook."""
    with services() as driver:
        (found,) = _found(driver, name, hook)
    answer(found, lambda: "\n".join(map(hooking.legible, found.text.split("\n"))))
    note(_standing(found))


@hooks.command(
    epilog=examples(
        "zdriver worktree hooks approve                          asks for each",
        "zdriver worktree hooks approve feat-x --hook post-create --yes",
    )
)
@_name_argument
@_hook_option
@click.option("--yes", is_flag=True, help="Do not ask; what is allowed is shown.")
@json_option
def approve(name: str, hook: HookName | None, yes: bool) -> None:
    """Allow hooks to run, until their text changes.

    In every worktree of this repository. What runs code of a pull request is allowed for
    one commit of it.
    """
    if not yes and not on_terminal():
        raise InvalidInput("what a hook runs has to be read first", hint="read it, then give --yes")
    done: list[Hook] = []
    with services(doing="") as driver:
        found = _found(driver, name, hook)
        for each in found:
            if each.approved:
                done.append(each)
                continue
            hooking.show(each)
            if yes or click.confirm("Allow it?", err=True):
                done.append(driver.hooks.approve(name, each.hook, digest=each.digest))
    answer(done, lambda: "\n".join(f"{green('✓')} {each.hook} may run" for each in done))
    if len(done) < len(found):
        raise click.exceptions.Exit(1)


@hooks.command(epilog=examples("zdriver worktree hooks revoke post-create"))
@_hook_argument
@_name_argument
@json_option
def revoke(hook: HookName, name: str) -> None:
    """Take back every approval of a hook in this repository."""
    with services() as driver:
        count = driver.hooks.revoke(name, hook)
    answer({"hook": hook, "count": count}, lambda: f"{green('✓')} {plural(count, 'approval')} taken back")


@hooks.command(
    epilog=examples(
        "zdriver worktree hooks run post-create              after it failed, or was left out",
        "zdriver worktree hooks run post-create feat-x",
    )
)
@_hook_argument
@_name_argument
@json_option
def run(hook: HookName, name: str) -> None:
    """Run a hook now, as its moment would.

    Exit code 0: it ran well; 1: it failed, or was not allowed.
    """
    with services(doing="") as driver:
        found = _found(driver, name, hook)[0]
        ran = hooking.run_hook(driver, name, hook, needed=True)
    answer({"hook": hook, "worktree": found.worktree, "ran": ran}, str)
    if not ran:
        raise click.exceptions.Exit(1)


# ---- words -------------------------------------------------------------------------------


def _list(name: str) -> None:
    with services() as driver:
        found = driver.hooks.list(name)
    answer(found, lambda: "\n".join(map(_words, found)))
    if not found:
        note(f"no hooks here: there is no {FILE} with [hooks]; docs/zdriver-toml.md shows one")


def _found(driver: Driver, name: str, hook: HookName | None) -> tuple[Hook, ...]:
    """All of a worktree, or the one. Raises NotFound where there is none."""
    found = tuple(each for each in driver.hooks.list(name) if hook in (None, each.hook))
    if not found:
        what = f"hook {hook}" if hook else "hook"
        raise NotFound(f"there is no {what} in the {FILE} here", hint="zdriver worktree hooks list")
    return found


def _words(of: Hook) -> str:
    where = f"{home_relative(of.file)}, line {of.line}" if of.line else home_relative(of.file)
    return f"{bold(of.hook)}  {_standing(of)}  {dim(where)}\n{hooking.indented(of.text)}"


def _standing(of: Hook) -> str:
    if of.approved:
        return green("may run")
    return yellow("changed since it was approved" if of.changed else "not approved")
