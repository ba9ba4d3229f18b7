"""The command line by itself: help, usage errors, words and times. No daemon is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import click
import pytest

import zdriver
from zdriver.cli import editor, manpages, output
from zdriver.cli.groups import LazyGroup
from zdriver.cli.main import SECTIONS, cli, run
from zdriver.cli.since import parse_since
from zdriver.core.errors import InvalidInput, Unavailable

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def commands(group: click.Group, path: str = "zdriver") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    sections = group.sections if isinstance(group, LazyGroup) else ()
    for name in [entry.name for _, entries in sections for entry in entries] or group.commands:
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


ALL = dict(commands(cli))


# -- help ----------------------------------------------------------------------------------


def test_help_fits_one_screen_in_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) <= 80
    for title, _ in SECTIONS:
        assert f"{title}:" in lines


@pytest.mark.parametrize("path", ALL)
def test_every_command_shows_an_example_of_itself(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path.split()[1:], "--help"]) == 0
    examples = capsys.readouterr().out.partition("Examples:")[2]
    assert path in examples


def test_the_table_of_commands_says_what_the_commands_say() -> None:
    groups = {"zdriver": cli, **{path: each for path, each in ALL.items() if isinstance(each, LazyGroup)}}
    assert {"zdriver", "zdriver worktree"} <= groups.keys()
    for path, group in groups.items():
        for entry in (entry for _, entries in group.sections for entry in entries):
            assert ALL[f"{path} {entry.name}"].get_short_help_str(100) == entry.help


def test_every_command_but_the_talkative_ones_has_json() -> None:
    without = {
        path for path, command in ALL.items() if "--json" not in [o for p in command.params for o in p.opts]
    }
    assert without == {"zdriver completions", "zdriver daemon run"}


def test_asking_for_help_imports_no_command(tmp_path: Path) -> None:
    late = ("zdriver.cli.intent", "redis", "psycopg", "pika", "git", "apsw")
    code = (
        "import sys; from zdriver.cli.main import run; run(['--help']);"
        f"print([m for m in sys.modules if m in {late}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_committed_man_pages_are_what_the_help_says() -> None:
    folder = REPOSITORY / "man"
    made = manpages.pages()
    assert sorted(made) == sorted(file.name for file in folder.iterdir())
    for name, text in made.items():
        assert folder.joinpath(name).read_text("utf-8") == text, "python -m zdriver.cli.manpages man"


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"zdriver {zdriver.__version__}\n"


# -- usage errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ["nonsense"],
        ["chore", "x"],
        ["worktree", "nonsense"],
        ["feat"],
        ["feat", ""],
        ["feat", "a\x07b"],
        ["feat", "x", "--from", ""],
        ["feat", "x", "--branch", " "],
        ["feat", "x", "--tab"],
        ["feat", "x", "--nonsense"],
        ["worktree", "add", "feat"],
        ["worktree", "list", "x"],
        ["worktree", "adopt"],
        ["worktree", "show", ""],
        ["worktree", "recover", " "],
        ["worktree", "prune", "--yes", "--dry-run"],
        ["worktree", "types", "add"],
        ["remove"],
        ["remove", ""],
        ["remove", "x", "--token", "0"],
        ["remove", "x", "--token", "9" * 20],
        ["merge", "--squash", "--rebase"],
        ["intent", "--nonsense"],
        ["intent", "x", "--clear"],
        ["intent", "--clear", "--edit"],
        ["milestone", "x", "--undo"],
        ["milestone", "--kind", "checkpoint"],
        ["milestone", "x", "--kind", "nonsense"],
        ["milestone", "--limit", "0"],
        ["history", "--since", "whenever"],
        ["history", "--limit", "x"],
        ["history", "--since", ""],
        ["history", "--repo", ""],
        ["history", "--context", " "],
        ["--context", "", "intent", "x"],
        ["intent", "--context", "", "x"],
        ["snapshot", "list", "--session", ""],
        ["snapshot", "list", "--root", ""],
        ["snapshot", "show", "9" * 30],
        ["snapshot", "show", "newest"],
        ["forget"],
        ["forget", "7f3a91c2"],
        ["restore", "x"],
        ["restore", "--undo", "--dry-run"],
        ["restore", "--replace"],
        ["snapshot", "diff"],
        ["snapshot", "pin", "0"],
        ["config", "edit"],
        ["intent", "--edit"],
        ["completions", "tcsh"],
        ["attach"],
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_wrong_usage_is_one_line_and_exit_2(
    argv: list[str], as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*argv, "--json"] if as_json else argv) == 2
    said = capsys.readouterr()
    if as_json:
        error = json.loads(said.out)
        assert error["v"] == 1
        assert error["ok"] is False
        assert error["error"].keys() == {"code", "message", "hint"}
        assert error["error"]["hint"]
        assert said.err == ""
    else:
        assert said.out == ""
        first, second = said.err.splitlines()
        assert first.startswith("error: ")
        assert second.startswith("hint:  ")


def test_text_behind_two_dashes_is_text_even_if_it_looks_like_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["forget", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("argv", "meant"), [(["intnt"], "intent"), (["worktree", "lst"], "list"), (["remov", "x"], "remove")]
)
def test_a_mistyped_command_is_guessed_though_none_was_loaded_yet(argv: list[str], meant: str) -> None:
    code = f"from zdriver.cli.main import run; raise SystemExit(run({argv}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"did you mean {meant}?" in done.stderr


def test_a_defect_is_one_line_and_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("zdriver.cli.main.cli.make_context", broken)
    assert run(["intent"]) == 1
    assert capsys.readouterr().err.splitlines()[0] == "error: a defect of zdriver: RuntimeError: two lines"


def test_help_cuts_nothing_off(capsys: pytest.CaptureFixture[str]) -> None:
    for path, command in ALL.items():
        if isinstance(command, click.Group):
            assert run([*path.split()[1:], "--help"]) == 0
            _, _, commands_listed = capsys.readouterr().out.partition("Commands:")
            assert "..." not in commands_listed


@pytest.mark.parametrize(
    "argv", [["--json", "config", "show"], ["config", "--json", "show"], ["config", "show", "--json"]]
)
def test_json_is_understood_wherever_it_stands(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(argv) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_what_an_editor_needs_is_said_for_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    hints = []
    for argv in (["intent", "--edit"], ["config", "edit"]):
        assert run(argv) == 2
        hints.append(capsys.readouterr().err.splitlines()[1])
    assert "on stdin" in hints[0]
    assert "config.toml" in hints[1]


@pytest.mark.parametrize("path", ["zdriver", "zdriver daemon", "zdriver config", "zdriver worktree"])
def test_a_group_alone_shows_its_help(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = path.split()[1:]
    assert run([*argv, "--help"]) == 0
    help_ = capsys.readouterr().out
    assert run(argv) == 2
    assert capsys.readouterr() == ("", help_)


# -- words ---------------------------------------------------------------------------------

NOW = datetime(2026, 5, 20, 15, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(3)),
        ("1w ago", timedelta(7)),
    ],
)
def test_since_counts_back(text: str, ago: timedelta) -> None:
    assert parse_since(text, NOW) == NOW - ago


def test_since_days_begin_at_local_midnight(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert parse_since("today", NOW) == datetime(2026, 5, 19, 22, tzinfo=UTC)
        assert parse_since("yesterday", NOW) == datetime(2026, 5, 18, 22, tzinfo=UTC)
        assert parse_since("2026-01-05", NOW) == datetime(2026, 1, 4, 23, tzinfo=UTC)
        assert parse_since("2026-05-01T12:00:00Z", NOW) == datetime(2026, 5, 1, 12, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "soon", "2", "h", "999999w", "0000-00-00", "٣d", "-2h", "2026-13-01"])
def test_since_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(InvalidInput, match="--since"):
        parse_since(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "just now"), (59, "just now"), (60, "1 min ago"), (7200, "2 h ago"), (86_400 * 3, "3 d ago")],
)
def test_ages(seconds: int, words: str) -> None:
    assert output.age(NOW - timedelta(seconds=seconds), NOW) == words


def test_columns_line_up_with_wide_and_styled_text() -> None:
    rows = [(output.red("a"), "x"), ("漢字", "y"), ("e\u0301", "z")]
    shown = [click.unstyle(line) for line in output.table(rows).splitlines()]
    assert shown == ["a     x", "漢字  y", "e\u0301     z"]


def test_joined_emoji_stay_joined() -> None:
    assert output.printable("👩\u200d💻 می\u200cخواهم") == "👩\u200d💻 می\u200cخواهم"


def test_one_is_no_plural() -> None:
    assert [output.plural(n, "pane") for n in (0, 1, 2, 1000)] == [
        "0 panes",
        "1 pane",
        "2 panes",
        "1,000 panes",
    ]


def test_stored_text_cannot_steer_the_terminal() -> None:
    assert output.printable("a\x1b]0;title\x07b\u202e") == "a\\x1b]0;title\\x07b\\u202e"
    assert output.home_relative("/a folder\nof two lines") == "/a folder\\x0aof two lines"


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "", "FORCE_COLOR": ""}, None),
    ],
)
def test_colour_is_what_the_environment_says(
    environ: dict[str, str], wanted: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
        if name in environ:
            monkeypatch.setenv(name, environ[name])
    assert output.wants_colour() is wanted


def test_the_editor_is_split_as_a_shell_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "code --wait 'a b'")
    assert editor.editor_command() == ["code", "--wait", "a b"]
    monkeypatch.setenv("VISUAL", "code 'a")
    with pytest.raises(InvalidInput, match="VISUAL"):
        editor.editor_command()
    monkeypatch.setenv("VISUAL", "")
    monkeypatch.setenv("EDITOR", "")
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(Unavailable, match="no editor"):
        editor.editor_command()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_a_script_that_the_shell_takes(
    shell: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["completions", shell]) == 0
    script = tmp_path / "completions"
    script.write_text(capfd.readouterr().out)
    subprocess.run([shell, "-n", str(script)], check=True)
