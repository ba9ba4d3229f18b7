"""Engines of a third party: a package with one of each kind, built and installed as any other."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.integration.commands import Cli
from zdriver.testing import Home, until

EXAMPLE = Path(__file__).parent / "example"
PAGE = Path(__file__).parents[3] / "docs" / "engines.md"

_BROKEN = """
from zdriver.hookspecs import hookimpl

@hookimpl
def zdriver_storage(address, sinks):
    return {}[address.scheme]

@hookimpl
def zdriver_hot_context(address, config):
    return {}[address.scheme]
"""


def install(project: Path, into: Path) -> None:
    """What an installer does with a package: build its wheel, and unpack it."""
    built = into.with_name("wheels")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)],
        cwd=project,
        check=True,
        capture_output=True,
    )
    for wheel in built.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(into)


@pytest.fixture
def site(home: Home, tmp_path: Path) -> Path:
    """A folder of packages that the programs of this home find."""
    folder = tmp_path / "site"
    folder.mkdir()
    home.env["PYTHONPATH"] = str(folder)
    return folder


@pytest.fixture
def shelf(home: Home, site: Path, tmp_path: Path) -> Path:
    """The example is installed, and all three settings name this folder."""
    install(EXAMPLE, site)
    folder = tmp_path / "a shelf"
    for setting in ("STORAGE", "CONTEXT", "EVENTS"):
        home.env[f"ZDRIVER_{setting}_URL"] = f"shelf://{str(folder).replace(' ', '%20')}"
    return folder


def test_the_page_shows_the_example_as_it_is() -> None:
    page = PAGE.read_text()
    for name in ("pyproject.toml", "zdriver_shelf/__init__.py", "zdriver_shelf/events.py"):
        assert (EXAMPLE / name).read_text().strip() in page, name


def test_a_third_party_can_add_one_of_each_kind(home: Home, cli: Cli, shelf: Path) -> None:
    assert cli("intent", "on the shelf").returncode == 0
    assert cli("milestone", "a book").returncode == 0
    assert cli("intent").stdout == "on the shelf\n"
    assert (shelf / "zdriver.db").exists()
    assert not home.database.exists()

    def published() -> list[str]:
        file = shelf / "events.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line)["event_type"] for line in lines]

    until(
        lambda: published() == ["intent.set", "milestone.recorded"],
        what="both events",
        shows=lambda: str(published()),
    )

    def copied() -> list[str]:
        return [
            json.loads(file.read_text())["intent"]["text"] for file in (shelf / "contexts").glob("*.json")
        ]

    until(lambda: copied() == ["on the shelf"], what="the hot copy")
    engines = {each["role"]: each for each in cli.data("daemon", "status")["engines"]}
    assert {role: each["state"] for role, each in engines.items()} == {"context": "ok", "events": "ok"}
    assert {each["engine"] for each in engines.values()} == {"shelf"}


def test_the_doctor_asks_engines_of_plugins_too(cli: Cli, shelf: Path) -> None:
    cli("intent", "on the shelf")
    checks = {
        check["name"]: check for check in cli.data("doctor")["checks"] if "shelf://" in check["message"]
    }
    assert {name: check["state"] for name, check in checks.items()} == dict.fromkeys(
        ("storage.url", "context.url", "events.url"), "ok"
    )


def test_what_a_plugin_refuses_is_said_in_its_words(home: Home, cli: Cli, shelf: Path) -> None:
    home.env["ZDRIVER_STORAGE_URL"] = "shelf://ann:geheim@elsewhere/x"
    done = cli("intent", "kept")
    assert done.returncode == 5
    assert done.stderr.startswith("error: storage.url: shelf://ann:***@elsewhere/x names no folder\n")


def test_a_scheme_that_no_plugin_knows_is_refused(home: Home, cli: Cli, shelf: Path) -> None:
    home.env["ZDRIVER_STORAGE_URL"] = "shell:///x"
    assert cli.refused("intent", "kept") == (5, "unavailable")


def test_a_plugin_that_fails_is_named_and_another_engine_never_takes_its_place(
    home: Home, cli: Cli, site: Path
) -> None:
    (site / "broken.py").write_text(_BROKEN)
    info = site / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[zdriver]\nbroken = broken\n")
    home.env["ZDRIVER_CONTEXT_URL"] = "redis://127.0.0.1:1"
    assert cli("intent", "kept").returncode == 0
    (context,) = cli.data("daemon", "status")["engines"]
    assert (context["state"], context["message"]) == (
        "down",
        "context.url: the plugin broken failed: KeyError",
    )
    assert "KeyError: 'redis'" in home.daemon_log.read_text()
    cli("daemon", "stop")
    done = cli("intent", "lost", ZDRIVER_STORAGE_URL="postgresql://127.0.0.1:1/x")
    assert done.returncode == 5
    assert done.stderr.startswith("error: storage.url: the plugin broken failed: KeyError\n")
