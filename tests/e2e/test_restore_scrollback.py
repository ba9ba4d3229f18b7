"""What panes showed comes back above the new prompt, where `capture.scrollback_lines` asks for it."""

from __future__ import annotations

import json
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import ask, terminals, wait_connected, wait_recorded
from tests.e2e.harness import Opened, Zellij
from zdriver.testing import Home, until

SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
#: Printed by the shell from two halves, so that only the output has the word as a whole.
SAY = "printf '%s\\n' {}''{}"


@pytest.fixture
def project(home: Home) -> Path:
    folder = home.path / "project"
    folder.mkdir()
    return folder


def configure(home: Home, lines: int) -> None:
    file = Path(home.env["XDG_CONFIG_HOME"]) / "zdriver" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f"[capture]\nscrollback_lines = {lines}\n")


def say(opened: Opened, word: str) -> None:
    opened.line(SAY.format(word[:3], word[3:]))
    opened.window.wait_for(word)


def shown(opened: Opened) -> str:
    """Every pane's text and scrollback, as Zellij has it."""
    ids = [pane.id for pane in opened.panes()]
    return "\n".join(opened.action("dump-screen", "--full", "--pane-id", f"terminal_{id_}") for id_ in ids)


def wait_shown(opened: Opened) -> str:
    """The same, once both panes of `worked_in` are filled: Zellij does so after it has made them."""

    def back() -> str:
        text = shown(opened)
        return text if "upper-pane-said" in text and "lower-pane-said" in text else ""

    return until(back, what="what the panes showed", shows=lambda: shown(opened))


def newest(home: Home, session: str) -> Any:
    return ask(home, "snapshot.show", zellij_session=session)


def worked_in(home: Home, zellij: Zellij, project: Path) -> Opened:
    """Two panes: one printed much, one a secret; then a full-screen program in the second."""
    opened = zellij.start("first", cwd=project)
    wait_connected(home, "first")
    opened.line("seq 1 200")
    opened.window.wait_for("200")
    say(opened, "upper-pane-said")
    opened.action("new-pane", "--direction", "down")
    opened.wait_panes(2)
    say(opened, "lower-pane-said")
    say(opened, SECRET)
    return opened


def in_files(home: Home, word: str) -> list[str]:
    """Files of zdriver's that hold the word, unpacked or not."""
    folders = [home.database.parent, home.daemon_log.parent, Path(home.env["XDG_RUNTIME_DIR"])]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return [str(file) for file in files if word.encode() in _content(file)]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:  # the daemon made it for a moment
        return b""


def test_what_panes_showed_comes_back_without_its_secrets(home: Home, zellij: Zellij, project: Path) -> None:
    configure(home, 1000)
    first = worked_in(home, zellij, project)
    ask(home, "snapshot.save", place={"cwd": str(project), "zellij_session": "first"})
    first.line("vi notes")
    first.wait_running("vi", "notes")
    # A look at the editor's screen would put it in place of what was there before.
    ask(home, "snapshot.save", place={"cwd": str(project), "zellij_session": "first"})
    first.kill_server()

    second = zellij.start("second", cwd=project).welcomed()
    second.wait_panes(2)
    second.wait_running("vi", "notes")
    # Killed again before the editor ended, it still is known what stood there before it.
    wait_recorded(home, "second", lambda panes: all(pane.get("contents") for pane in panes))
    second.kill_server()
    third = zellij.start("third", cwd=project).welcomed()
    third.wait_panes(2)
    third.wait_running("vi", "notes")
    third.keys("Escape")
    third.line(":q!")
    text = wait_shown(third)
    assert "\n1\n2\n3\n" in text
    assert text.count("\n200\n") == 1
    assert "‹redacted›" in text
    assert SECRET not in text
    assert in_files(home, SECRET) == []
    left = [*Path(home.env["XDG_RUNTIME_DIR"]).glob("zdriver-*/contents/*")]
    assert left == []


def test_new_tabs_get_it_too(home: Home, zellij: Zellij, project: Path) -> None:
    configure(home, 50)
    first = worked_in(home, zellij, project)
    saved = ask(home, "snapshot.save", place={"cwd": str(project), "zellij_session": "first"})
    first.action("new-tab", "--name", "elsewhere")
    first.wait_panes(3)
    first.action("go-to-tab", "1")
    until(lambda: first.active_tab() == "Tab #1", what="the first tab")
    first.action("close-tab")
    first.wait_panes(1)
    ask(
        home,
        "restore.apply",
        generation=saved["generation"],
        place={"cwd": str(project), "zellij_session": "first"},
    )
    first.wait_panes(3)
    text = wait_shown(first)
    assert "\n199\n" in text
    assert "\n100\n" not in text


def test_it_is_kept_by_itself_and_as_one_generation(home: Home, zellij: Zellij, project: Path) -> None:
    configure(home, 100)
    first = worked_in(home, zellij, project)
    wait_recorded(home, "first", lambda panes: len(panes) == 2)

    def kept() -> bool:
        panes = terminals(newest(home, "first")["layout"])
        texts = [_text(home, pane["contents"]) for pane in panes if "contents" in pane]
        return any("upper-pane-said" in text for text in texts) and any("lower" in text for text in texts)

    until(kept, what="the texts in the newest snapshot", deadline=60, shows=first.screen)
    generation = newest(home, "first")["info"]["generation"]
    say(first, "and-one-word-more")

    def told() -> bool:
        panes = terminals(newest(home, "first")["layout"])
        return any("and-one-word-more" in _text(home, pane.get("contents", "")) for pane in panes)

    until(told, what="the new text", deadline=60, shows=first.screen)
    assert newest(home, "first")["info"]["generation"] == generation


def test_without_the_setting_nothing_of_it_is_kept(home: Home, zellij: Zellij, project: Path) -> None:
    first = worked_in(home, zellij, project)
    ask(home, "snapshot.save", place={"cwd": str(project), "zellij_session": "first"})
    assert all("contents" not in pane for pane in terminals(newest(home, "first")["layout"]))
    first.kill_server()
    second = zellij.start("second", cwd=project).welcomed()
    second.wait_panes(2)
    assert "pane-said" not in shown(second)
    for word in ("upper-pane-said", "lower-pane-said", SECRET):
        assert in_files(home, word) == []
    assert all(b"pane-said" not in text for text in _blobs(home))


def _blobs(home: Home) -> list[bytes]:
    with sqlite3.connect(f"file:{home.database}?mode=ro", uri=True) as store:
        return [zlib.decompress(row[0]) for row in store.execute("SELECT data FROM blobs")]


def _text(home: Home, key: str) -> str:
    """The text that a pane names, read from the store's file; "" where a newer one has taken its place."""
    if not key:
        return ""
    with sqlite3.connect(f"file:{home.database}?mode=ro", uri=True) as store:

        def blob(name: str) -> bytes | None:
            found = store.execute("SELECT data FROM blobs WHERE key = ?", (name,)).fetchone()
            return zlib.decompress(found[0]) if found else None

        names = blob(key)
        chunks = [blob(name) for name in json.loads(names)] if names else []
        return b"".join(chunk for chunk in chunks if chunk).decode()
