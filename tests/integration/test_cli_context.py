"""`zdriver intent`, `milestone`, `history` and `forget`, with their daemon."""

from __future__ import annotations

import subprocess

import pytest

import zdriver
from tests.integration.commands import Cli, in_terminal
from tests.integration.daemons import program
from zdriver.context.model import Place
from zdriver.testing import Home

INTENT_FIELDS = {"id", "text", "source", "set_at", "context"}

MILESTONE_FIELDS = {"id", "text", "kind", "artifacts", "commit", "recorded_at", "intent_id"}


def test_an_intent_is_set_shown_and_cleared(home: Home, cli: Cli) -> None:
    none = cli("intent")
    assert (none.returncode, none.stdout) == (0, "")
    assert "no intent here yet" in none.stderr
    assert cli.data("intent") is None
    new = cli.data("intent", "Refactor", "database layer")
    assert new.keys() >= INTENT_FIELDS
    assert new["context"].keys() >= {"id", "zellij_session", "root"}
    assert new["text"] == "Refactor database layer"
    assert new["set_at"].endswith("Z")
    assert new["context"]["root"] == str(home.path)
    assert cli("intent").stdout == "Refactor database layer\n"
    assert cli.data("intent", ZELLIJ_SESSION_NAME="other") is None
    assert cli.data("intent", "--clear")["id"] == new["id"]
    assert cli.data("intent") is None
    assert cli("intent", "--clear").returncode == 0


def test_a_text_comes_from_stdin(cli: Cli) -> None:
    assert cli.data("intent", "-", stdin="From a pipe\n")["text"] == "From a pipe"
    assert cli.data("milestone", "-", stdin="Done ünïcode 漢字\n")["text"] == "Done ünïcode 漢字"


def test_an_intent_is_written_in_the_editor(home: Home, cli: Cli) -> None:
    cli("intent", "Before")
    editor = home.path / "my editor"
    editor.write_text("#!/bin/sh\nsed -i 's/Before/After/' \"$1\"\n")
    editor.chmod(0o755)
    with in_terminal(home, "intent", "--edit", VISUAL=f"'{editor}'") as terminal:
        terminal.wait_for("code=0")
        assert "✓ intent: After" in terminal.screen()
    assert cli("intent").stdout == "After\n"
    with in_terminal(home, "intent", "--edit", VISUAL="true") as terminal:
        terminal.wait_for("code=0")
        assert "nothing changed" in terminal.screen()
    with in_terminal(home, "intent", "--edit", VISUAL="false") as terminal:
        terminal.wait_for("code=5")


def test_milestones_take_the_commit_and_can_be_taken_back(home: Home, cli: Cli) -> None:
    repo = home.path / "repo"
    for words in (["init", "-q", str(repo)], ["-C", str(repo), "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *words], env=home.env, check=True)
    head = subprocess.run(
        ["git", "-C", str(repo), "rev-parse", "HEAD"],
        env=home.env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    intent = cli.data("intent", "Try it", cwd=repo)
    new = cli.data(
        "milestone",
        "Works",
        "--kind",
        "checkpoint",
        "--artifact",
        "a.py",
        "--artifact",
        "https://x.y/z",
        cwd=repo,
    )
    assert new.keys() >= MILESTONE_FIELDS
    assert new["commit"] == head
    assert new["kind"] == "checkpoint"
    assert new["artifacts"] == ["a.py", "https://x.y/z"]
    assert new["intent_id"] == intent["id"]
    shown = cli("milestone", cwd=repo).stdout
    assert "◆  Works" in shown
    assert head[:8] in shown
    assert cli.data("milestone", "--undo", cwd=repo)["id"] == new["id"]
    assert cli.data("milestone", cwd=repo) == []
    assert cli.refused("milestone", "--undo", cwd=repo) == (3, "not_found")


def test_history_is_searched_narrowed_printed_and_forgotten(home: Home, cli: Cli) -> None:
    for folder in ("one", "two"):
        (home.path / folder).mkdir()
        cli.data("intent", f"Look into {folder} *closely*", cwd=home.path / folder)
        cli.data("milestone", f"Found {folder}", cwd=home.path / folder)
    every = cli.data("history")
    assert [entry["text"] for entry in every] == [
        "Found two",
        "Look into two *closely*",
        "Found one",
        "Look into one *closely*",
    ]
    assert [e["text"] for e in cli.data("history", "closely", "one")] == ["Look into one *closely*"]
    assert len(cli.data("history", "--limit", "1")) == 1
    assert len(cli.data("history", "--since", "1h")) == 4
    assert cli.data("history", "--since", "2099-01-01") == []
    assert {e["context"]["root"] for e in cli.data("history", "--repo", "two")} == {str(home.path / "two")}
    context = every[0]["context"]["id"]
    assert len(cli.data("history", "--context", context[-8:])) == 2
    markdown = cli("history", "--markdown").stdout
    assert markdown.startswith("## 20")
    assert "**Look into two \\*closely\\***" in markdown
    short = every[0]["id"][-8:]
    gone = {"intents": 0, "milestones": 1, "snapshots": 0, "archive": ""}
    assert cli.data("forget", short, "--yes") == gone
    assert len(cli.data("history")) == 3
    nothing = cli("history", "nowhere")
    assert (nothing.returncode, nothing.stdout) == (0, "")


def test_more_history_is_listed_than_one_answer_holds(home: Home, cli: Cli) -> None:
    with zdriver.open() as driver:
        for number in range(1100):
            driver.context.record_milestone(f"step {number}", place=Place(cwd=str(home.path)))
    found = [entry["text"] for entry in cli.data("history", "step", "--limit", "1050")]
    assert found == [f"step {number}" for number in range(1099, 49, -1)]
    assert len(cli.data("history", "--limit", "10000")) == 1100


def test_markdown_shows_the_text_as_it_was_written(cli: Cli) -> None:
    cli("intent", "~~not~~ struck & &amp; $x$ `y`")
    assert "\\~\\~not\\~\\~ struck \\& \\&amp; \\$x\\$ \\`y\\`" in cli("history", "--markdown").stdout


def test_the_context_can_be_named(home: Home, cli: Cli) -> None:
    context = cli.data("intent", "Here")["context"]["id"]
    (home.path / "away").mkdir()
    for words in (["--context", context[-8:], "intent"], ["intent", "--context", context]):
        assert cli.data(*words, cwd=home.path / "away")["text"] == "Here"
    assert cli.refused("--context", "00000000", "intent", "x") == (3, "not_found")


@pytest.mark.parametrize("text", ["", " \n", "x" * 10_001, "a\x07b", "a\x1b[31m"])
@pytest.mark.parametrize("command", ["intent", "milestone"])
def test_text_that_cannot_be_meant_is_refused(command: str, text: str, cli: Cli) -> None:
    assert cli.refused(command, "-", stdin=text)[0] == 2
    assert cli.data("history") == []


def test_a_deleted_folder_is_said_in_one_line(home: Home, cli: Cli) -> None:
    context = cli.data("intent", "Here")["context"]["id"]
    argv = " ".join(program())
    script = (
        f"mkdir gone && cd gone && rmdir ../gone; {argv} intent; echo $?; {argv} --context {context} intent"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=home.env, cwd=home.path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "5\nHere\n"
    assert "the current folder was deleted" in done.stderr


def test_forget_shows_what_it_will_delete(home: Home, cli: Cli) -> None:
    context = cli.data("intent", "Refactor the secret layer")["context"]["id"]
    step = cli.data("milestone", "Tried asyncpg", "--kind", "exploration")["id"]
    with in_terminal(home, "forget", step[-8:], context[-8:]) as terminal:
        terminal.wait_for("Forget these 2 for good?")
        shown = terminal.screen()
        assert "○ exploration  Tried asyncpg" in shown
        assert "■ context      all of it: 1 intent, 1 milestone, 0 snapshots" in shown
        assert shown.count("just now") == 2
        terminal.write("n\r")
        terminal.wait_for("code=1")
        assert "nothing was changed" in terminal.screen()
    assert len(cli.data("history")) == 2
    with in_terminal(home, "forget", step[-8:]) as terminal:
        terminal.wait_for("Forget this for good?")
        terminal.write("y\r")
        terminal.wait_for("code=0")
        assert "forgotten: 0 intents, 1 milestone, 0 snapshots" in terminal.screen()
    assert [entry["text"] for entry in cli.data("history")] == ["Refactor the secret layer"]
    with in_terminal(home, "forget", step[-8:]) as terminal:
        terminal.wait_for("code=3")
        assert "for good?" not in terminal.screen()


def test_an_emoji_is_found(cli: Cli) -> None:
    cli("milestone", "Shipped it 🚀")
    cli("milestone", "👩\u200d💻 Nothing else")
    for query, found in (("🚀", ["Shipped it 🚀"]), ("💻", ["👩\u200d💻 Nothing else"]), ("shipped 💻", [])):
        assert [entry["text"] for entry in cli.data("history", query)] == found
    assert "👩\u200d💻" in cli("history").stdout


def test_no_is_no(home: Home, cli: Cli) -> None:
    entry = cli.data("intent", "Stays")["id"]
    with in_terminal(home, "forget", entry) as terminal:
        terminal.wait_for("for good?")
        terminal.write("n\r")
        terminal.wait_for("code=")
    assert cli("intent").stdout == "Stays\n"
