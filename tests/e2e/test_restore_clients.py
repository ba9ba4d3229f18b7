"""Several terminals on one Zellij session, and the status line in each of its tabs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.daemon import ask, wait_connected, wait_recorded
from tests.e2e.harness import Zellij
from zdriver.testing import Home, until
from zdriver.testing.servers import PostgreSql, Redis, scratch

LAYOUTS = Path(__file__).parents[2] / "layouts"


@pytest.fixture
def project(home: Home) -> Path:
    folder = home.path / "project"
    folder.mkdir()
    return folder


def test_with_two_terminals_attached_nothing_happens_twice(home: Home, zellij: Zellij, project: Path) -> None:
    first = zellij.start("shared", cwd=project)
    wait_connected(home, "shared")
    second = zellij.start(attach="shared")
    second.window.wait_for("project $")
    first.action("new-pane", "--direction", "right")
    first.wait_panes(2)
    wait_recorded(home, "shared", lambda panes: len(panes) == 2)
    place = {"cwd": str(project), "zellij_session": "shared"}
    generation = ask(home, "snapshot.save", place=place)["generation"]
    first.action("close-pane")
    first.wait_panes(1)
    # both plugin instances get the request, one obeys: two panes more, not four
    assert ask(home, "restore.apply", generation=generation, place=place)["restored"] == 2
    first.wait_panes(3)
    first.close_window()
    # whoever led may have gone with the window: the other is connected soon
    second.action("new-pane")
    second.wait_panes(4)
    wait_recorded(home, "shared", lambda panes: len(panes) == 4)
    until(lambda: ask(home, "bridge.sessions") == ["shared"], what="one connection")


def test_a_session_in_use_elsewhere_is_not_taken_over(home: Home, zellij: Zellij, project: Path) -> None:
    first = zellij.start("used", cwd=project)
    wait_connected(home, "used")
    first.action("new-pane")
    first.wait_panes(2)
    wait_recorded(home, "used", lambda panes: len(panes) == 2)
    other = zellij.start("other", cwd=project)
    wait_connected(home, "other")
    until(lambda: "other opened in" in home.daemon_log.read_text(), what="its opening to be decided")
    assert len(other.panes()) == 1
    assert sorted(zellij.sessions()) == ["other", "used"]
    assert len(first.panes()) == 2


def test_the_status_line_follows_the_focus(home: Home, zellij: Zellij) -> None:
    trunk, feature = home.path / "trunk", home.path / "feature"
    for folder in (trunk, feature):
        folder.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=folder, env=home.env, check=True)
    layouts = home.config.parent / "layouts"
    layouts.mkdir(parents=True)
    shutil.copy(LAYOUTS / "zdriver.kdl", layouts)
    home.write_config('default_layout "zdriver"')
    opened = zellij.start("both", cwd=trunk)
    wait_connected(home, "both")
    for folder, text in ((trunk, "keep the trunk green"), (feature, "add the feature")):
        place = {"cwd": str(folder), "zellij_session": "both"}
        ask(home, "context.set_intent", text=text, place=place)
    opened.window.wait_for("keep the trunk green")
    opened.action("new-tab", "--name", "feature", "--cwd", str(feature))
    opened.window.wait_for(lambda screen: "add the feature" in screen and "trunk green" not in screen)
    opened.action("go-to-tab", "1")
    opened.window.wait_for("keep the trunk green")
    opened.line(f"cd {feature}")
    opened.window.wait_for(lambda screen: "add the feature" in screen and "trunk green" not in screen)


def test_the_status_line_says_that_an_engine_is_down(home: Home, zellij: Zellij) -> None:
    settings = Path(home.env["XDG_CONFIG_HOME"], "zdriver", "config.toml")
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('[events]\nurl = "amqp://broker:99999"\n')
    layouts = home.config.parent / "layouts"
    layouts.mkdir(parents=True)
    shutil.copy(LAYOUTS / "zdriver.kdl", layouts)
    home.write_config('default_layout "zdriver"')
    opened = zellij.start("told", cwd=home.path)
    opened.window.wait_for("! RabbitMQ down")
    wait_connected(home, "told")
    ask(home, "context.set_intent", text="goes on", place={"cwd": str(home.path), "zellij_session": "told"})
    opened.window.wait_for(lambda screen: "goes on" in screen and "! RabbitMQ down" in screen)


def test_the_status_line_says_when_an_engine_goes_and_when_it_is_back(
    home: Home, zellij: Zellij, tmp_path: Path
) -> None:
    layouts = home.config.parent / "layouts"
    layouts.mkdir(parents=True)
    shutil.copy(LAYOUTS / "zdriver.kdl", layouts)
    home.write_config('default_layout "zdriver"')
    settings = Path(home.env["XDG_CONFIG_HOME"], "zdriver", "config.toml")
    settings.parent.mkdir(parents=True, exist_ok=True)
    with Redis(tmp_path / "redis") as server:
        # other tests run beside this one: what is slow is not the question
        settings.write_text(f'[context]\nurl = "{server.url}"\ntimeout_ms = 5000\n')
        opened = zellij.start("told", cwd=home.path)
        wait_connected(home, "told")
        place = {"cwd": str(home.path), "zellij_session": "told"}
        ask(home, "context.set_intent", text="keep it hot", place=place)
        opened.window.wait_for(lambda screen: "keep it hot" in screen and "Redis" not in screen)
        server.kill()
        opened.window.wait_for(lambda screen: "keep it hot" in screen and "! Redis down" in screen)
        ask(home, "context.set_intent", text="goes on", place=place)
        opened.window.wait_for(lambda screen: "goes on" in screen and "! Redis down" in screen)
        server.start()
        opened.window.wait_for(lambda screen: "goes on" in screen and "Redis" not in screen, deadline=60)


def test_the_status_line_says_when_the_store_goes_and_when_it_is_back(home: Home, zellij: Zellij) -> None:
    layouts = home.config.parent / "layouts"
    layouts.mkdir(parents=True)
    shutil.copy(LAYOUTS / "zdriver.kdl", layouts)
    home.write_config('default_layout "zdriver"')
    settings = Path(home.env["XDG_CONFIG_HOME"], "zdriver", "config.toml")
    settings.parent.mkdir(parents=True, exist_ok=True)
    with scratch("status-pg") as folder, PostgreSql(folder) as server:
        settings.write_text(f'[storage]\nurl = "{server.database("shared")}"\n')
        opened = zellij.start("told", cwd=home.path)
        wait_connected(home, "told")
        place = {"cwd": str(home.path), "zellij_session": "told"}
        ask(home, "context.set_intent", text="keep it safe", place=place)
        opened.window.wait_for(lambda screen: "keep it safe" in screen and "PostgreSQL" not in screen)
        server.kill()
        opened.action("new-pane")  # there is something to record, and nowhere to
        opened.window.wait_for(
            lambda screen: "keep it safe" in screen and "! PostgreSQL down" in screen, deadline=60
        )
        server.start()
        opened.window.wait_for(
            lambda screen: "keep it safe" in screen and "PostgreSQL" not in screen, deadline=60
        )
        wait_recorded(home, "told", lambda panes: len(panes) == 2, deadline=60)
