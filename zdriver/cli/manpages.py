"""Man pages, made of the commands' own help: `python -m zdriver.cli.manpages FOLDER`.

They are committed under `man/` and go into the wheel; a test compares them with what
this makes. One page for `zdriver` and one for each command, with its subcommands.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from zdriver import __version__
from zdriver.cli.main import SECTIONS, cli


def pages() -> dict[str, str]:
    """File name → text in roff (man macros)."""
    root = click.Context(cli, info_name="zdriver", help_option_names=["-h", "--help"])
    made = {"zdriver.1": _page(root, cli.help or "")}
    for _, entries in SECTIONS:
        for entry in entries:
            command = cli.get_command(root, entry.name)
            if command is not None and not command.hidden:
                context = click.Context(command, info_name=entry.name, parent=root)
                made[f"zdriver-{entry.name}.1"] = _page(context, entry.help)
    return made


def _page(ctx: click.Context, what: str) -> str:
    name = ctx.command_path.replace(" ", "-")
    lines = [f'.TH "{name.upper()}" "1" "" "zdriver {__version__}" "zdriver"']
    lines += [".SH NAME", f"{_text(name)} \\- {_text(_first_sentence(what))}"]
    lines += [".SH SYNOPSIS", *_usage(ctx), ".SH DESCRIPTION", *_paragraphs(ctx.command.help or "")]
    lines += _options(ctx, ".SH OPTIONS")
    if isinstance(ctx.command, click.Group):
        lines += _overview(ctx) if ctx.parent is None else _subcommands(ctx, ctx.command)
    lines += _examples(ctx.command, ".SH EXAMPLES")
    if ctx.parent is None:
        lines += _ending()
    lines += [".SH SEE ALSO", ".BR zellij (1)" if ctx.parent is None else ".BR zdriver (1)"]
    return "\n".join(lines) + "\n"


def _first_sentence(text: str) -> str:
    sentence = " ".join(text.split()).partition(". ")[0].rstrip(".")
    return sentence[:1].lower() + sentence[1:] if not sentence.startswith("zdriver") else sentence[8:]


def _usage(ctx: click.Context) -> list[str]:
    pieces = " ".join(ctx.command.collect_usage_pieces(ctx))
    return [f".B {_text(ctx.command_path)}", _text(pieces)]


def _paragraphs(help_text: str) -> Iterator[str]:
    for position, paragraph in enumerate(inspect.cleandoc(help_text).split("\n\n")):
        if position:
            yield ".PP"
        yield _text(" ".join(paragraph.split()))


def _options(ctx: click.Context, title: str) -> Iterator[str]:
    records = [
        record
        for parameter in ctx.command.get_params(ctx)
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx))
    ]
    if records:
        yield title
    for names, text in records:
        yield ".TP"
        yield f"\\fB{_text(names)}\\fR"
        yield _text(text)


def _overview(_ctx: click.Context) -> Iterator[str]:
    yield ".SH COMMANDS"
    for title, entries in SECTIONS:
        yield f".SS {_text(title)}"
        for entry in entries:
            if not entry.hidden:
                yield from (".TP", f"\\fBzdriver\\-{_text(entry.name)}\\fR(1)", _text(entry.help))


def _subcommands(ctx: click.Context, group: click.Group) -> Iterator[str]:
    yield ".SH COMMANDS"
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is None or command.hidden:
            continue
        below = click.Context(command, info_name=name, parent=ctx)
        yield f".SS {_text(below.command_path)} {_text(' '.join(command.collect_usage_pieces(below)))}"
        yield from _paragraphs(command.help or "")
        yield from _options(below, ".PP")
        yield from _examples(command, ".PP")


def _examples(command: click.Command, title: str) -> Iterator[str]:
    lines = (command.epilog or "").splitlines()[2:]
    if lines:
        yield title
        yield ".nf"
        yield from (_text(line[2:]) for line in lines)
        yield ".fi"


def _ending() -> Iterator[str]:
    codes = {
        "0": "done",
        "1": "failed",
        "2": "wrong usage",
        "3": "not found",
        "4": "conflict: something else holds it",
        "5": "unavailable: the daemon, Zellij or the disk",
        "130": "interrupted",
        "141": "the reader of the output has gone",
    }
    yield ".SH EXIT STATUS"
    for code, text in codes.items():
        yield from (".TP", f"\\fB{code}\\fR", _text(text))
    yield ".SH FILES"
    for path, text in (
        ("~/.config/zdriver/config.toml", "configuration; see zdriver config show"),
        ("~/.local/share/zdriver/zdriver.db", "all that is remembered"),
        ("~/.local/state/zdriver/daemon.log", "the daemon's log"),
    ):
        yield from (".TP", f"\\fI{_text(path)}\\fR", _text(text))


def _text(text: str) -> str:
    """Roff's own signs as text. A line must not begin with a dot or a quote."""
    plain = re.sub(r"[\b]", "", text).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        folder.joinpath(name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
