"""The `zdriver` command: its table of commands, and the one place where errors end.

`run(argv)` is what the entry point and the fork server call (the latter after
`cli.preload()`); it prints, never raises, and returns the exit code. Exit codes: 0 done, 1 failed
or answered with no, 2 usage, 3 not found, 4 conflict, 5 unavailable, 130 interrupted, 141 pipe closed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

import click

from zdriver import __version__
from zdriver.cli import streams, travel
from zdriver.cli.groups import Entry, LazyGroup
from zdriver.cli.options import context_option, examples, json_option
from zdriver.cli.output import show_error, wants_colour
from zdriver.core.errors import Internal, InvalidInput, ZdriverError

EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141
COMPLETE_VARIABLE = "_ZDRIVER_COMPLETE"

_VERB = "Make a worktree of this type, or go there."

SECTIONS = (
    (
        "Say and look up",
        (
            Entry("intent", "intent", "intent", "Set or show what you are working on."),
            Entry("milestone", "milestone", "milestone", "Record a step reached, or list them."),
            Entry("history", "history", "history", "Search all intents and milestones."),
            Entry("events", "events", "events", "See what happened, and follow what happens."),
            Entry("forget", "forget", "forget", "Delete entries or contexts for good."),
        ),
    ),
    (
        "Bring back",
        (
            Entry("restore", "restore", "restore", "Bring a snapshot's tabs and panes back."),
            Entry("snapshot", "snapshot", "snapshot", "List, show, compare and take snapshots."),
        ),
    ),
    (
        "Work side by side",
        (
            Entry("feat", "worktree_add", "feat", _VERB, label="feat|fix|aiops|devops|exp"),
            *(
                Entry(verb, "worktree_add", verb, _VERB, folded=True)
                for verb in ("fix", "aiops", "devops", "exp")
            ),
            Entry("review", "review", "review", "Make or update the worktree of a pull request."),
            Entry("go", "go", "go", "Go to another worktree of this repository."),
            Entry("worktree", "worktree", "worktree", "Make, list, mend and take away worktrees."),
            Entry("merge", "merge", "merge", "Merge a worktree into its base, then remove it."),
            Entry("remove", "remove", "remove", "Remove worktrees whose work is done."),
            Entry(
                "claim",
                "claim",
                "claim",
                "Hold a worktree, so that nobody else works in it.",
                label="claim|release|claims",
            ),
            Entry("release", "claim", "release", "Let a worktree go; who waits gets it.", folded=True),
            Entry("claims", "claim", "claims", "List who holds what, and who held it.", folded=True),
            Entry("sync", "sync", "sync", "Share configuration among the worktrees."),
            Entry("task", "task", "task", "See what was assigned to agents, and who is at it."),
        ),
    ),
    (
        "Set up and look after",
        (
            Entry("setup", "setup", "setup", "Put zdriver into Zellij and your shell, or take it out."),
            Entry("config", "config", "config", "Show, find and edit the configuration."),
            Entry("import", "importing", "import_", "Take over what another tool knows."),
            Entry(
                "archive", "archive", "archive", "Bring history to the archive now.", label="archive|migrate"
            ),
            Entry("migrate", "migrate", "migrate", "Move everything from SQLite to PostgreSQL.", folded=True),
            Entry("completions", "completions", "completions", "Print completions for your shell."),
            Entry("doctor", "doctor", "doctor", "Check that everything works, and mend it."),
            Entry("daemon", "daemon", "daemon", "Start, stop and look at the daemon."),
            Entry("demo", "demo", "demo", "Watch a killed Zellij come back."),
            Entry("attach", "attach", "attach", "Connect a Zellij session's plugin.", hidden=True),
        ),
    ),
)


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"zdriver {__version__}")
        ctx.exit()


def _own_type(ctx: click.Context, word: str) -> click.Command | None:
    from zdriver.cli.worktree_add import own_type

    return own_type(ctx, word)


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    fallback=_own_type,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        'zdriver intent "Refactor database layer"',
        "zdriver feat user-auth      a worktree of its own, and the shell in it",
        "zdriver setup zellij        once, so that panes come back by themselves",
    ),
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
@context_option
@json_option
def cli() -> None:
    """zdriver remembers what goes on in a terminal (intent, milestones, panes)
    and brings it back when Zellij is opened again."""


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    json = "--json" in (args[: args.index("--")] if "--" in args else args)
    streams.prepare()
    travel.prepare()
    try:
        code = _invoke(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        streams.silence()
        return EXIT_PIPE_CLOSED
    except (KeyboardInterrupt, click.Abort):
        click.echo(err=True)
        return EXIT_INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        return _help_instead(error, json=json)
    except Exception as error:
        return _report(_as_ours(error), json=json)


def _help_instead(error: click.exceptions.NoArgsIsHelpError, *, json: bool) -> int:
    """`zdriver` or `zdriver daemon` alone: who types that wants to see what there is."""
    where = error.ctx.command_path if error.ctx else "zdriver"
    missing = InvalidInput("a command is missing", hint=f"see `{where} --help`")
    if json or not error.ctx:
        return _report(missing, json=json)
    with contextlib.suppress(OSError):
        click.echo(error.ctx.get_help(), err=True)
    return missing.exit_code


def _invoke(args: list[str]) -> int:
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "zdriver", COMPLETE_VARIABLE, instruction)
    try:
        with cli.make_context("zdriver", args, color=wants_colour()) as ctx:
            cli.invoke(ctx)
    except click.exceptions.Exit as done:
        return done.exit_code
    return 0


def _as_ours(error: Exception) -> ZdriverError:
    """Every exception as one line that says what is wrong and what to do next."""
    if isinstance(error, ZdriverError):
        return error
    if isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx else "zdriver"
        return InvalidInput(_one_line(error.format_message()), hint=f"see `{where} --help`")
    if isinstance(error, click.ClickException):
        return ZdriverError(_one_line(error.format_message()))
    if isinstance(error, UnicodeEncodeError):
        return InvalidInput("something given is not valid UTF-8", hint="rename it, or convert it with iconv")
    if isinstance(error, OSError):
        said = error.strerror or str(error)
        return ZdriverError(f"{said}: {error.filename}" if error.filename else said)
    if os.environ.get("ZDRIVER_DEBUG"):
        raise error
    return Internal(
        f"a defect of zdriver: {type(error).__name__}: {_one_line(str(error))}",
        hint="ZDRIVER_DEBUG=1 shows the details; report it with the output of `zdriver doctor --report`",
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _report(error: ZdriverError, *, json: bool) -> int:
    shown = False
    try:
        with click.Context(cli, color=wants_colour()):
            show_error(error, json=json)
        shown = True
        sys.stdout.flush()
    except BrokenPipeError:
        streams.silence()
        return EXIT_PIPE_CLOSED
    except OSError:  # a full disk behind `> file`, for one: said on stderr, if that takes it
        streams.silence()
        if not shown:
            with contextlib.suppress(OSError):
                show_error(error, json=False)
            streams.silence()
    return error.exit_code
