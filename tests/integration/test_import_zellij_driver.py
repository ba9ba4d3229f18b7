"""`zdriver import zellij-driver`: what it keeps in Redis is taken over, and nothing there is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

import zdriver
from tests.integration.commands import Cli
from zdriver.context.model import Place
from zdriver.testing import Home
from zdriver.testing.servers import Redis, scratch

AT = "2026-01-0{}T10:00:00.123456789Z"


class Perth:
    """Writes as zellij-driver does (its state.rs)."""

    def __init__(self, url: str) -> None:
        self.client: Any = redis.Redis.from_url(url, decode_responses=True)

    def pane(self, name: str, cwd: str = "", session: str = "work", **fields: str) -> None:
        known = {
            "session": session,
            "tab": "code",
            "pane_id": "3",
            "created_at": AT.format(1),
            "stale": "false",
        }
        known |= {"last_seen": AT.format(2), "last_accessed": AT.format(2)}
        known |= {"meta:cwd": cwd} if cwd else {}
        self.client.hset(f"znav:pane:{name}", mapping={**known, **fields})

    def log(self, name: str, summary: str, day: int = 1, **more: Any) -> None:
        at = AT.format(day)
        entry: dict[str, Any] = {
            "id": str(uuid4()),
            "timestamp": at,
            "summary": summary,
            "entry_type": "checkpoint",
        }
        entry |= {"artifacts": [], "source": "manual", **more}
        self.client.lpush(f"perth:pane:{name}:history", json.dumps(entry))
        self.client.hset(f"znav:pane:{name}", mapping={"last_intent": summary, "last_intent_at": at})

    def snapshot(self, name: str, *panes: dict[str, Any], session: str = "work", day: int = 3) -> None:
        tab = {"name": "code", "index": 0, "active": True, "layout": "vertical", "panes": list(panes)}
        whole: dict[str, Any] = {
            "schema_version": "1.0",
            "id": str(uuid4()),
            "name": name,
            "session": session,
        }
        whole |= {"created_at": AT.format(day), "tabs": [tab], "pane_count": len(panes)}
        self.client.set(f"perth:snapshots:{session}:{name}", json.dumps(whole))

    def everything(self) -> dict[str, Any]:
        """Key → type, time to live and content."""
        return {
            key: (
                self.client.type(key),
                self.client.ttl(key),
                self.client.execute_command("DUMP", key, NEVER_DECODE=True),
            )
            for key in self.client.keys("*")
        }


@pytest.fixture
def perth(redis_url: str) -> Iterator[Perth]:
    made = Perth(redis_url)
    yield made
    made.client.close()


@pytest.fixture
def project(home: Home) -> Path:
    made = home.path / "code" / "app"
    (made / "src").mkdir(parents=True)
    (made / ".git").mkdir()
    (made / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return made


def texts(project: Path, session: str = "work") -> tuple[str, list[str]]:
    """(intent, milestones newest first) of the context there."""
    place = Place(cwd=str(project), zellij_session=session)
    with zdriver.connect() as driver:
        intent = driver.context.intent(place=place)
        return intent.text if intent else "", [each.text for each in driver.context.milestones(place=place)]


def test_histories_become_milestones_and_twice_is_once(
    perth: Perth, redis_url: str, cli: Cli, project: Path
) -> None:
    perth.pane("editor", str(project / "src"))
    perth.log("editor", "read the code", 1, entry_type="exploration", source="agent")
    perth.log(
        "editor", "parser works", 3, entry_type="milestone", artifacts=["src/a.py"], goal_delta="2 of 3"
    )
    perth.pane("tests:unit", str(project))
    perth.log("tests:unit", "tests are green", 2)
    before = perth.everything()
    done = cli.data("import", "zellij-driver", redis_url)
    assert done["contexts"] == [
        {"root": str(project), "zellij_session": "work", "intent": "parser works", "milestones": 3}
    ]
    assert (done["unread"], done["known"], done["source"]) == ([], 0, redis_url)
    assert texts(project) == ("parser works", ["parser works (2 of 3)", "tests are green", "read the code"])
    found = {line["text"]: line for line in cli.data("history") if line["type"] == "milestone"}
    first = found["read the code"]
    assert (first["kind"], first["source"], first["at"]) == (
        "exploration",
        "agent",
        "2026-01-01T10:00:00.123456Z",
    )
    assert found["parser works (2 of 3)"]["artifacts"] == ["src/a.py"]
    assert cli.data("history", "pars")
    again = cli.data("import", "zellij-driver", redis_url)
    assert (again["contexts"], again["known"]) == ([], 3)
    assert len(cli.data("history")) == 4
    cli.data("forget", first["id"], "--yes")
    cli.data("import", "zellij-driver", redis_url)
    assert len(cli.data("history")) == 3  # what was forgotten stays so
    assert perth.everything() == before


def test_an_intent_of_ones_own_stays_and_theirs_is_not_said_to_be_taken(
    perth: Perth, redis_url: str, cli: Cli, project: Path
) -> None:
    with zdriver.connect() as driver:
        driver.context.set_intent("mine", place=Place(cwd=str(project), zellij_session="work"))
    perth.pane("editor", str(project))
    perth.log("editor", "parser works")
    done = cli.data("import", "zellij-driver", redis_url)
    assert [(each["intent"], each["milestones"]) for each in done["contexts"]] == [("", 1)]
    assert texts(project) == ("mine", ["parser works"])
    assert cli.data("import", "zellij-driver", redis_url)["contexts"] == []


def test_a_dry_run_says_the_same_and_writes_nothing(
    perth: Perth, redis_url: str, cli: Cli, project: Path
) -> None:
    perth.pane("editor", str(project))
    perth.log("editor", "parser works")
    perth.snapshot("before", {"name": "editor", "position": 0, "cwd": str(project), "command": "vim a.py"})
    told = cli.data("import", "zellij-driver", redis_url, "--dry-run")
    assert (told["dry_run"], told["snapshots"]) == (True, 1)
    assert cli.data("history") == []
    assert cli.data("snapshot", "list") == []
    done = cli.data("import", "zellij-driver", redis_url)
    assert {**done, "dry_run": True} == told


def test_snapshots_become_generations(perth: Perth, redis_url: str, cli: Cli, project: Path) -> None:
    panes = (
        {"name": "unnamed", "position": 1, "cwd": str(project), "focused": True},
        {"name": "editor", "position": 0, "cwd": str(project / "src"), "command": "vim 'a b.py'"},
        {"name": "quote", "position": 2, "cwd": str(project), "command": "sh -c 'never closed"},
    )
    perth.snapshot("late", panes[1], day=4)
    perth.snapshot("early", *panes, day=3)
    assert cli.data("import", "zellij-driver", redis_url)["snapshots"] == 2
    late, early = cli.data("snapshot", "list")
    assert (late["taken_at"][:10], early["taken_at"][:10]) == ("2026-01-04", "2026-01-03")
    assert (early["reason"], early["root"], early["panes"]) == ("imported", str(project), 3)
    shown = cli.data("snapshot", "show", str(early["generation"]))["layout"]["tabs"][0]["tiled"][0][
        "children"
    ]
    assert [(each.get("name", ""), each["cwd"], each.get("command", [])) for each in shown] == [
        ("editor", str(project / "src"), ["vim", "a b.py"]),
        ("", str(project), []),
        ("quote", str(project), []),
    ]
    assert cli.data("import", "zellij-driver", redis_url)["snapshots"] == 0
    assert len(cli.data("snapshot", "list")) == 2


def test_a_pane_whose_folder_only_a_snapshot_knows(
    perth: Perth, redis_url: str, cli: Cli, project: Path
) -> None:
    perth.pane("editor")
    perth.log("editor", "parser works")
    perth.snapshot("s", {"name": "editor", "position": 0, "cwd": str(project)})
    done = cli.data("import", "zellij-driver", redis_url)
    assert [each["root"] for each in done["contexts"]] == [str(project)]


def test_what_cannot_be_read_is_listed_and_the_rest_taken(
    perth: Perth, redis_url: str, cli: Cli, project: Path
) -> None:
    perth.pane("lost")
    perth.log("lost", "nobody knows where")
    perth.pane("relative", "code/app")
    perth.log("relative", "neither")
    perth.pane("good", str(project))
    perth.log("good", "taken")
    perth.log("good", "bad\x07bell")
    perth.log("good", "no time", day=1, timestamp="yesterday")
    perth.client.lpush(
        "perth:pane:good:history", "{no json", '{"id": 7}', "\udcff".encode("utf-8", "surrogatepass")
    )
    perth.client.set("znav:pane:text", "x")
    perth.client.set("perth:snapshots:work:bad", "[]")
    perth.client.lpush("perth:snapshots:work:list", "x")
    perth.client.hset("perth:tab:work:code", "correlation_id", "pr-42")
    done = cli("import", "zellij-driver", redis_url, "--json")
    data = json.loads(done.stdout)["data"]
    assert [each["milestones"] for each in data["contexts"]] == [1]
    reasons = {each["what"]: each["reason"] for each in data["unread"]}
    assert reasons["pane lost"] == "its folder is not known"
    assert reasons["pane relative"] == "its folder is no absolute path"
    assert reasons["znav:pane:text"] == "it is no hash"
    assert reasons["perth:snapshots:work:list"] == "it is no text"
    assert "perth:snapshots:work:bad" in reasons
    assert sum(what.startswith("perth:pane:good:history, line") for what in reasons) == 3
    assert sum(what.startswith("pane good, entry") for what in reasons) == 2
    shown = cli("import", "zellij-driver", redis_url)
    assert shown.returncode == 0
    assert "! pane lost: its folder is not known" in shown.stderr


def test_secrets_are_cut_out(perth: Perth, redis_url: str, cli: Cli, project: Path) -> None:
    perth.pane("editor", str(project))
    perth.log("editor", "deployed with password=hunter2secret")
    perth.snapshot("s", {"name": "e", "position": 0, "cwd": str(project), "command": "mysql -phunter2secret"})
    cli.data("import", "zellij-driver", redis_url)
    assert "hunter2" not in cli("history", "--json").stdout
    assert "hunter2" not in cli("snapshot", "show", "--json").stdout


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("amqp://localhost", "begins with amqp://"),
        ("nonsense", "the URL is none"),
        ("redis://a b", "the URL is none"),
    ],
)
def test_a_url_that_is_none(cli: Cli, url: str, said: str) -> None:
    assert cli.refused("import", "zellij-driver", url) == (2, "invalid_input")
    assert said in cli("import", "zellij-driver", url).stderr


def test_a_redis_that_is_not_there_or_refuses(cli: Cli, home: Home) -> None:
    assert cli.refused("import", "zellij-driver", "redis://127.0.0.1:1") == (5, "unavailable")
    with scratch("redis-pw") as folder, Redis(folder, password="s3cret") as server:
        wrong = server.url.replace("s3cret", "hunter2")
        done = cli("import", "zellij-driver", wrong)
        assert (done.returncode, "refuses user or password" in done.stderr) == (5, True)
        right = cli("import", "zellij-driver", server.url, "--json")
        assert json.loads(right.stdout)["data"]["source"] == server.url.replace("s3cret", "***")
    log = home.daemon_log.read_text()
    assert "hunter2" not in log
    assert "s3cret" not in log
