"""What the README tells a user to type is typed here, line by line, and must work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.daemons import Daemons
from zdriver.testing import Home

#: What needs servers is typed in test_readme_machines.py.
SERVERS = "## More than one machine"
WHOLE = (Path(__file__).parents[2] / "README.md").read_text()
README = re.sub(rf"^{SERVERS}\n.*?^(?=## )", "", WHOLE, flags=re.MULTILINE | re.DOTALL)

#: These reach the package index for a released zdriver, or take the installed one away.
NOT_HERE = ("uv tool install", "uv tool uninstall")
#: Asks for a terminal's answer; the flag says yes.
ANSWERED = {
    "zdriver setup zellij": "zdriver setup zellij --yes",
    "zdriver setup undo": "zdriver setup undo --yes",
    "zdriver setup shell --install": "zdriver setup shell --install --yes",
}
#: Shown as what one may do; without a Zellij session there is nothing to restore into.
REFUSED = {"zdriver restore": 2, "zdriver restore --dry-run": 3, "zdriver restore --undo": 2}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(NOT_HERE)]


@pytest.fixture
def project(home: Home) -> Path:
    folder = home.path / "shop"
    folder.mkdir()
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def test_every_command_works_in_the_order_of_the_page(project: Path, daemons: Daemons) -> None:
    ran = commands()
    assert "zdriver setup zellij" in ran
    assert 'zdriver intent "Refactor database layer"' in ran
    for command in ran:
        typed = ANSWERED.get(command, command)
        done = subprocess.run(
            ["bash", "-c", typed], cwd=project, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == REFUSED.get(command, 0), f"{command}\n{done.stdout}{done.stderr}"
        assert "defect" not in done.stderr


def test_the_script_works(project: Path, daemons: Daemons) -> None:
    (script,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [line.split(" ", 3)[2:] for line in done.stdout.splitlines()] == [
        ["milestone", "Extracted models"],
        ["intent", "Refactor database layer"],
    ]


def test_the_configuration_is_accepted(home: Home, daemons: Daemons) -> None:
    (example,) = blocks("toml")
    file = Path(home.env["XDG_CONFIG_HOME"]) / "zdriver" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(example)
    done = subprocess.run(
        ["zdriver", "config", "show"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "terraform" in done.stdout


def test_the_keys_are_those_that_setup_writes(home: Home) -> None:
    done = subprocess.run(
        ["zdriver", "setup", "zellij", "--print"], capture_output=True, text=True, timeout=60, check=False
    )
    letters = re.findall(r"^\| `(\w)` \|", README, re.MULTILINE)
    assert letters == ["i", "m", "h", "g", "b", "r", "u"]
    for letter in letters:
        assert f'bind "{letter}"' in done.stdout
    assert 'bind "Alt m"' in done.stdout
