"""README's "More than one machine", typed line by line on two machines with real servers.

As it is written, but for where the servers are: theirs are the ports of this run. `sudo` and `rabbitmqctl`
stand in for an administrator's, and Debian's packages are there already.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.test_readme import SERVERS, WHOLE
from zdriver.core.ids import new_id
from zdriver.testing import Home, until
from zdriver.testing.servers import PostgreSql, RabbitMq, Redis, scratch

SECTION = re.findall(rf"^{SERVERS}\n(.*?)^## ", WHOLE, re.MULTILINE | re.DOTALL)[0]
_SUDO = """#!/bin/bash
[ "$1" = -u ] && shift 2
exec env PGHOST={socket} PGPORT={port} PGUSER=postgres "$@"
"""
_APT = """#!/bin/bash
shift 2
exec dpkg-query -W "$@"
"""
_RABBITMQCTL = """#!/bin/bash
exec env {environment} {program} "$@"
"""
_REDIS_CLI = """#!/bin/bash
exec {program} -p {port} "$@"
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)


class Machine:
    """A home of its own, with a clone of the repository that both have."""

    def __init__(self, home: Home, site: Site) -> None:
        self.home, self.site = home, site
        home.env["ZDRIVER_CONTEXT_TIMEOUT_MS"] = "5000"  # what is slow beside other tests is not the question
        state = Path(home.env["XDG_STATE_HOME"]) / "zdriver"
        state.mkdir(parents=True)
        (state / "host").write_text(f"{new_id()}\n")  # two homes of one machine would have the same
        self.config = home.path / ".config" / "zdriver"
        assert str(self.config.parent) == home.env["XDG_CONFIG_HOME"]
        self.type(f"git clone -q {shlex.quote(str(site.hub))} shop", cwd=home.path)

    def type(self, line: str, *, cwd: Path | None = None) -> str:
        """What a line in the shell prints; it must work."""
        done = subprocess.run(
            ["bash", "-c", self.site.here(line)],
            cwd=cwd or self.home.path / "shop",
            env={**self.home.env, "PATH": f"{self.site.programs}:{self.home.env['PATH']}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert "defect" not in done.stderr
        return done.stdout

    def type_block(self, block: str) -> str:
        lines = [line.split("  #")[0].strip() for line in block.splitlines()]
        return "".join(self.type(line) for line in lines if line)

    def configure(self, *texts: str) -> None:
        self.config.mkdir(parents=True, exist_ok=True)
        (self.config / "config.toml").write_text(self.site.here("\n".join(texts)))


class Site:
    """The servers, and programs with which an administrator reaches them."""

    def __init__(self, folder: Path, database: PostgreSql, cache: Redis, broker: RabbitMq) -> None:
        self.database, self.broker = database, broker
        self._ports = {
            "postgresql": urlsplit(database.url).port,
            "redis": urlsplit(cache.url).port,
            "amqp": urlsplit(broker.url).port,
        }
        self.hub = folder / "hub.git"
        self.programs = folder / "bin"
        self.programs.mkdir()
        self._script("sudo", _SUDO.format(socket=database.folder, port=self._ports["postgresql"]))
        self._script("apt-get", _APT)
        environment = shlex.join(f"{name}={value}" for name, value in broker.environment().items())
        ctl = "/usr/lib/rabbitmq/bin/rabbitmqctl"
        self._script("rabbitmqctl", _RABBITMQCTL.format(environment=environment, program=ctl))
        self._script("redis-cli", _REDIS_CLI.format(program="/usr/bin/redis-cli", port=self._ports["redis"]))

    def _script(self, name: str, text: str) -> None:
        file = self.programs / name
        file.write_text(text)
        file.chmod(0o755)

    def here(self, text: str) -> str:
        """The page's URLs, with the ports of this run."""

        def ported(found: re.Match[str]) -> str:
            return f"{found[1]}://{found[2] or ''}localhost:{self._ports[found[1]]}"

        return re.sub(r"\b(postgresql|redis|amqp)://([\w:-]+@)?localhost", ported, text)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        folders = [stack.enter_context(scratch(name)) for name in ("new-pg", "new-redis", "new-mq")]
        database = stack.enter_context(PostgreSql(folders[0]))
        cache = stack.enter_context(Redis(folders[1]))
        broker = stack.enter_context(RabbitMq(folders[2]))
        # As they are just installed: the page makes its own user.
        database.sql("DROP ROLE zdriver")
        broker.call('rabbit_auth_backend_internal:delete_user(<<"zdriver">>, <<"tests">>)')
        made = Site(tmp_path, database, cache, broker)
        identity = ["-c", "user.name=ada", "-c", "user.email=ada@localhost"]
        seed = tmp_path / "seed"
        for words in (
            ["init", "-q", "--bare", "-b", "main", str(made.hub)],
            ["clone", "-q", str(made.hub), str(seed)],
            ["-C", str(seed), *identity, "commit", "-q", "--allow-empty", "-m", "first"],
            ["-C", str(seed), "push", "-q", "origin", "HEAD:main"],
        ):
            subprocess.run(["git", *words], check=True, capture_output=True)
        yield made


def test_two_machines_as_the_page_says(home: Home, site: Site, tmp_path: Path) -> None:
    server, moving, work, others, outside, archive = blocks("sh")
    engines, history = blocks("toml")
    (listening,) = blocks("python")
    with Home() as second:
        desk, laptop = Machine(home, site), Machine(second, site)
        desk.type('zdriver intent "From before"')
        desk.type_block(server)
        desk.configure(engines)
        assert "moved and compared" in desk.type_block(moving)
        assert desk.type("zdriver intent") == "From before\n"
        with listener(site.here(listening), tmp_path / "heard") as heard:
            until(
                lambda: "worktree.*" in desk.type("rabbitmqctl list_bindings"), what="its queue", deadline=60
            )
            desk.type_block(work)
            until(lambda: b"feat-billing" in heard.read_bytes(), what="the event", shows=heard.read_text)
        assert heard.read_text().startswith("worktree.created {")

        laptop.type_block(server.splitlines()[-1])
        laptop.configure(engines)
        said = laptop.type_block(others)
        assert re.search(r"feat-billing +\S+ +feat +feat-billing +.* on \S+ until", said)
        assert "Bill by the minute" in said
        assert "token 1" in said

        def kept() -> bool:
            said = laptop.type_block(outside)
            return "Bill by the minute" in said and "Schema drawn" in said

        until(kept, what="the hot copy")

        laptop.configure(engines, history)
        laptop.type("zdriver daemon stop")
        assert "Bill by the minute" in laptop.type_block(archive)


@contextmanager
def listener(script: str, file: Path) -> Iterator[Path]:
    """The page's script runs; what it prints is in the file."""
    with file.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-c", script], stdout=out, stderr=out)
    try:
        yield file
    finally:
        process.terminate()
        process.wait()
