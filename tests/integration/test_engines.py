"""Engines that are named wrongly: commands go on, and it is said where one looks for it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from tests.integration.commands import Cli
from zdriver.testing import Home
from zdriver.testing.servers import PostgreSql, Redis, scratch

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


#: What only engines and plugins need.
_NOT_LOADED = (
    "psycopg",
    "redis",
    "pika",
    "pluggy",
    "ssl",
    "zdriver.plugins",
    "zdriver.builtin",
    "zdriver.hot.redis",
)
_ASSEMBLED = f"""
import sys
from zdriver.daemon.wiring import assemble
made = assemble()
made.start()
print([name for name in {_NOT_LOADED} if name in sys.modules], made.engines)
made.stop()
"""


def test_without_an_engine_no_driver_and_no_plugin_is_loaded(home: Home) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASSEMBLED],
        env=home.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[] []\n", "")


#: Of servers that answer, as of those that do not.
PASSWORD = "gehe/im&"


def test_no_password_is_in_the_log_however_much_it_says(home: Home, cli: Cli) -> None:
    with ExitStack() as stack:
        folders = [stack.enter_context(scratch(name)) for name in ("log-pg", "log-redis")]
        database = stack.enter_context(PostgreSql(folders[0]))
        cache = stack.enter_context(Redis(folders[1], password=PASSWORD))
        database.database("log")
        database.sql(f"ALTER ROLE zdriver PASSWORD '{PASSWORD}'")
        url = database.url_of("log", password=PASSWORD)
        home.env |= {
            "ZDRIVER_DAEMON_LOG_LEVEL": "debug",
            "ZDRIVER_STORAGE_URL": url,
            "ZDRIVER_ARCHIVE_URL": url,
            "ZDRIVER_CONTEXT_URL": cache.url,
            "ZDRIVER_EVENTS_URL": f"amqp://ann:{quote(PASSWORD, safe='')}@127.0.0.1:1",
        }
        assert cli("intent", "kept").returncode == 0
        assert cli("archive").returncode == 0
        said = cli("daemon", "status", "--json").stdout + cli("daemon", "status").stdout
        states = {each["role"]: each["state"] for each in json.loads(said.splitlines()[0])["data"]["engines"]}
        assert {"storage", "archive", "context", "events"} <= states.keys()
        assert states["storage"] == states["archive"] == "ok"
        assert states["events"] == "down"
        cache.kill()
        database.kill()
        refused = cli("intent", "lost")
        assert refused.returncode == 5
        assert refused.stderr.startswith("error: storage.url: ")
        said += refused.stderr + cli("daemon", "status", "--json").stdout + cli("doctor").stdout
        said += home.daemon_log.read_text()
    assert "storage.url: " in said
    for form in (PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD)):
        assert form not in said
