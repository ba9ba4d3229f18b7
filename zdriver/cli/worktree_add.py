"""`zdriver worktree add TYPE NAME`, and the verbs that say TYPE themselves: `zdriver feat NAME`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from zdriver.cli.completing import completing
from zdriver.cli.hooking import run_hook
from zdriver.cli.options import GIVEN, examples, json_option
from zdriver.cli.output import bold, dim, green, note, printable, settings, yellow
from zdriver.cli.services import services
from zdriver.cli.tab import open_tab, tab_option
from zdriver.cli.travel import exec_option, go_to, show
from zdriver.cli.worktree_words import TIMEOUT, finished_anyway, received, tell, warn
from zdriver.core.errors import InvalidInput, ZdriverError
from zdriver.worktrees.model import Added
from zdriver.worktrees.names import title

if TYPE_CHECKING:
    from zdriver.library import Driver

F = TypeVar("F", bound=Callable[..., Any])

_FROM = "What its branch starts from: a branch, tag or commit; else the default branch."
_ABOUT = """Make a worktree of this type, or go there.

NAME is shown as you type it; folder and branch get what is safe of it. A branch that
exists, here or on the remote, is used as it is. Files in sync/ are linked, and the
post-create hook of .zdriver.toml runs once you approved it. The path goes to stdout,
or the shell goes there (zdriver setup shell).
"""


def _options(command: F) -> F:
    for option in (
        json_option,
        click.option("--no-hooks", is_flag=True, help="Run no hook of .zdriver.toml."),
        click.option("--no-cd", is_flag=True, help="Print the path; the shell stays where it is."),
        tab_option,
        exec_option,
        click.option("--branch", metavar="B", type=GIVEN, help="Its branch, new or there already."),
        click.option("--from", "start", metavar="REF", type=GIVEN, help=_FROM),
        click.argument("name"),
    ):
        command = option(command)
    return command


def _types(driver: Driver) -> Iterator[tuple[str, str]]:
    for each in driver.worktrees.types():
        yield each.name, each.description


@click.command(
    epilog=examples(
        "zdriver worktree add feat user-auth            as `zdriver feat user-auth`",
        'zdriver worktree add fix "log in twice" --from v1.2',
        "zdriver worktree add exp cache --branch try/cache --no-cd",
    )
)
@click.argument("type", shell_complete=completing(_types))
@_options
def add(type: str, name: str, **options: Any) -> None:
    _add(type, name, **options)


add.help = _ABOUT.replace("of this type", "of TYPE")


def verb(type_: str) -> click.Command:
    """`zdriver TYPE NAME`: as `worktree add TYPE NAME`."""

    def command(name: str, **options: Any) -> None:
        _add(type_, name, **options)

    shown = examples(
        f"zdriver {type_} user-auth                   branch {type_}-user-auth, from the default branch",
        f'zdriver {type_} "log in twice" --from v1.2',
        f"zdriver {type_} cache --exec 'make build'",
    )
    return click.command(name=type_, help=_ABOUT, epilog=shown)(_options(command))


feat, fix, aiops, devops, exp = (verb(each) for each in ("feat", "fix", "aiops", "devops", "exp"))


def _add(
    type_: str,
    name: str,
    *,
    start: str | None,
    branch: str | None,
    exec_: str,
    tab: bool,
    no_cd: bool,
    no_hooks: bool,
) -> None:
    if tab and exec_:
        raise InvalidInput("--tab and --exec exclude each other", hint="give one of them")
    title(name)  # what cannot be a name is said before a daemon is asked
    ran = True
    with services(doing="making the worktree", timeout=TIMEOUT) as driver:
        with finished_anyway():
            added = driver.worktrees.add(type_, name, base=start or "", branch=branch or "")
        _tell(added)
        if added.created and not no_hooks:
            ran = run_hook(driver, added.worktree.path, "post-create")
    if not ran and exec_:
        note(yellow("! what --exec says was not run: the hook before it failed"))
    code = _arrive(added, tab=tab, stay=no_cd, run=exec_ if ran else "")
    if code or not ran:
        raise click.exceptions.Exit(code or 1)


def _tell(added: Added) -> None:
    """In words on stderr: stdout is for the path. With `--json` as the envelope."""
    of = added.worktree
    branch = f"branch {printable(of.branch)}" if of.branch else "no branch"
    if added.created:
        came = received(added.linked, added.provided)
        start = f" from {printable(of.base)}" if of.base else ""
        more = dim(f"  {came}") if came else ""
        tell(added, f"{green('✓')} {bold(printable(of.name))} is made, {branch}{start}{more}")
    else:
        tell(added, f"{green('✓')} {bold(printable(of.name))} is there already, {branch}")
    warn((*added.warnings, *added.provided.warnings, *added.linked.conflicts))


def _arrive(added: Added, *, tab: bool, stay: bool, run: str) -> int | None:
    """Where the shell is from now on; the exit code of `run`."""
    path = added.worktree.path
    if tab:
        open_tab(path, added.worktree.name)
        return None
    if stay and not run:
        if not settings().json:
            show(path)
        return None
    return go_to(path, run=run)


def own_type(ctx: click.Context, word: str) -> click.Command | None:
    """The verb of a type that the user added, where `word` is one: asked only for a word that no
    command is called, and only where something is stored already.
    """
    from zdriver.core import paths
    from zdriver.worktrees import rules

    try:
        rules.type_name(word)
        if not paths.database().exists():
            return None
        with services(start=not ctx.resilient_parsing) as driver:
            known = {each.name for each in driver.worktrees.types() if not each.builtin}
    except (ZdriverError, OSError):
        return None  # then it is said that there is no such command
    return verb(word) if word in known else None
