"""Engines that are named wrongly: commands go on, and it is said where one looks for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.commands import Cli
from zdriver.testing import Home

BAD = {
    "ZDRIVER_CONTEXT_URL": "http://:geheim@cache",
    "ZDRIVER_ARCHIVE_URL": "postgresql://ann:geheim/x@db/history",
    "ZDRIVER_EVENTS_URL": "amqp://ann@broker",
    "ZDRIVER_EVENTS_PASSWORD_COMMAND": "false geheim",
}


@pytest.fixture
def wrong(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BAD.items():
        monkeypatch.setenv(name, value)
        home.env[name] = value


@pytest.mark.usefixtures("wrong")
def test_the_daemon_goes_on_with_what_works_and_says_what_does_not(home: Home, cli: Cli) -> None:
    assert cli("intent", "kept").returncode == 0
    assert cli("intent").stdout == "kept\n"
    engines = {each["setting"]: each for each in cli.data("daemon", "status")["engines"]}
    assert {name: (each["role"], each["state"]) for name, each in engines.items()} == {
        "context.url": ("context", "down"),
        "archive.url": ("archive", "down"),
        "events.url": ("events", "down"),
    }
    assert engines["context.url"]["message"] == "context.url begins with http://, which zdriver does not know"
    assert engines["archive.url"]["message"] == "archive.url is no URL: there is an @ too many in it"
    assert engines["events.url"]["message"] == "events.password_command: false ended with exit code 1"
    shown = cli("daemon", "status")
    assert shown.returncode == 0
    assert "RabbitMQ down, events.url" in shown.stdout


@pytest.mark.usefixtures("wrong")
def test_no_secret_is_printed_anywhere(home: Home, cli: Cli) -> None:
    said = [
        cli(*words)
        for words in (
            ["intent", "kept"],
            ["daemon", "status"],
            ["daemon", "status", "--json"],
            ["config", "show"],
            ["config", "show", "--json"],
            ["doctor"],
            ["doctor", "--json"],
            ["doctor", "--report"],
        )
    ]
    printed = "".join(each.stdout + each.stderr for each in said) + home.daemon_log.read_text()
    assert "context.url" in printed
    assert "geheim" not in printed


def test_a_store_that_cannot_be_meant_is_one_line_and_exit_code_5(cli: Cli) -> None:
    for url, says in (
        ("mysql://ann:geheim@h/db", "storage.url begins with mysql://, which zdriver does not know"),
        ("ann:geheim@h", "storage.url is no URL: it does not begin with scheme://"),
    ):
        done = cli("intent", "kept", ZDRIVER_STORAGE_URL=url)
        assert done.returncode == 5
        assert done.stderr.splitlines()[0] == f"error: {says}"
        assert "geheim" not in done.stdout + done.stderr


def test_without_an_engine_no_driver_and_no_plugin_is_loaded(home: Home, cli: Cli) -> None:
    assert cli("intent", "kept").returncode == 0
    status = cli.data("daemon", "status")
    assert status["engines"] == []
    maps = Path(f"/proc/{status['pid']}/maps").read_text()
    assert "apsw" in maps
    assert not re.search(r"psycopg|libpq", maps)
