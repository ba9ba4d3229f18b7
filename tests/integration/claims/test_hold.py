"""`claim --hold` and `driver.claims.hold`: what is held goes on, ends, and is told when it is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import zdriver
from tests.integration.commands import Cli, in_terminal
from tests.integration.daemons import Daemons, program
from tests.integration.test_store_disk import fill
from zdriver.claims import rules
from zdriver.claims.model import Claim
from zdriver.core.errors import Conflict, StorageFull
from zdriver.library import Driver
from zdriver.testing import Home, until


@contextmanager
def holding(home: Home, project: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`zdriver claim feat-a --hold WORDS`, in a process group of its own, until the block ends."""
    process = subprocess.Popen(
        [*program(), "claim", "feat-a", "--hold", *words],
        cwd=project, env=home.env, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def holder(agent: str) -> Claim:
    """Once `agent` holds feat-a."""
    with zdriver.connect() as driver:
        return until(
            lambda: next((claim for claim in driver.claims.list() if claim.agent == agent), None),
            what=f"a claim of {agent}",
            deadline=20,
        )


def beaten(before: Claim) -> Claim:
    """The claim that lasts longer than `before` did, once there is one."""
    with zdriver.connect() as driver:
        return until(
            lambda: next(
                (each for each in driver.claims.list() if each.expires_at > before.expires_at), None
            ),
            what="a beat",
            deadline=40,
        )


def nobody_holds() -> None:
    with zdriver.connect() as driver:
        until(lambda: not driver.claims.list(), what="the end of the claim", deadline=20)


def test_the_command_runs_in_the_worktree_with_its_token_and_its_code_is_passed_on(
    cli: Cli, project: Path
) -> None:
    script = 'echo "$ZDRIVER_CLAIM_TOKEN $ZDRIVER_AGENT $ZDRIVER_WORKTREE $PWD"; exit 7'
    done = cli("claim", "feat-a", "--agent", "one", "--hold", "--", "sh", "-c", script, cwd=project)
    assert (done.returncode, done.stdout) == (7, f"1 one feat-a {project.parent}/feat-a\n")
    ended = cli("claim", "feat-a", "--hold", "--", "sh", "-c", "kill -USR1 $$", cwd=project)
    assert ended.returncode == 128 + signal.SIGUSR1
    assert cli("claim", "feat-a", "--hold", "--", "no-such-program", cwd=project).returncode == 127
    assert cli("claim", "feat-a", "--hold", "--", "/", cwd=project).returncode == 126
    assert cli("claim", "nothing", "--hold", "--", "true", cwd=project).returncode == 125
    assert cli.data("claims") == []


def test_its_command_is_a_child_of_the_caller_and_not_of_the_fork_server(
    home: Home, project: Path, daemons: Daemons
) -> None:
    """It may be an editor or an agent: it has the caller's terminal, its session and its job control."""
    daemons.pid()
    with holding(home, project, "--", "sh", "-c", "echo $PPID") as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid


def test_another_is_refused_and_runs_nothing(cli: Cli, home: Home, project: Path) -> None:
    with holding(home, project, "--agent", "one", "--", "sleep", "60") as process:
        holder("one")
        refused = cli("claim", "feat-a", "--agent", "two", "--hold", "--", "echo", "ran", cwd=project)
        assert (refused.returncode, refused.stdout) == (4, "")
        assert "held by one since" in refused.stderr
        assert cli.refused("claim", "feat-a", "--agent", "two", cwd=project) == (4, "conflict")
        assert cli.refused("release", "feat-a", "--agent", "two", cwd=project) == (4, "conflict")
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM
    nobody_holds()


def test_a_killed_holder_loses_it_within_its_lease(home: Home, project: Path) -> None:
    with holding(home, project, "--agent", "one", "--lease", "5", "--", "sleep", "60") as process:
        held = holder("one")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with zdriver.connect() as driver:
            next_ = driver.claims.claim("feat-a", agent="two", wait=30, cwd=str(project))
            assert next_.token == held.token + 1
            kept = driver.claims.list(all=True)
        assert [claim.ended for claim in kept] == ["", "expired"]
        with pytest.raises(Conflict, match="expired"), zdriver.connect() as driver:
            driver.claims.check("feat-a", agent="one", token=held.token, cwd=str(project))


def test_who_waits_gets_it_at_once_when_it_is_released(home: Home, project: Path) -> None:
    got: list[Claim] = []

    def wait() -> None:
        with zdriver.connect() as driver:
            got.append(driver.claims.claim("feat-a", agent="two", wait=300, cwd=str(project)))

    with zdriver.connect() as driver:
        driver.claims.claim("feat-a", agent="one", cwd=str(project))
        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: driver.claims.list()[0].waiting == 1, what="a waiter")
        ended = driver.claims.release("feat-a", agent="one", cwd=str(project))
        thread.join(60)
    # Given on in the transaction that ended it.
    assert ended.ended_at is not None
    assert [claim.claimed_at for claim in got] == [ended.ended_at]


def asked_twice(home: Home) -> bool:
    """Whether the one that waits is in a call that waits: the first only took its place, and looked."""
    with closing(sqlite3.connect(f"file:{home.database}?mode=ro", uri=True)) as store:
        rows = store.execute("SELECT until - since FROM claim_waiters").fetchall()
    return [kept > rules.KEPT * 1_000_000 for (kept,) in rows] == [True]


def test_a_waiter_that_is_killed_is_passed_over_at_once(home: Home, project: Path) -> None:
    with zdriver.connect() as driver:
        driver.claims.claim("feat-a", agent="one", cwd=str(project))
        words = [*program(), "claim", "feat-a", "--agent", "two", "--wait", "600"]
        waiter = subprocess.Popen(words, cwd=project, env={**home.env, "ZDRIVER_NO_FORK": "1"})
        until(lambda: asked_twice(home), what="a waiter")
        waiter.kill()
        waiter.wait()
        until(lambda: driver.claims.list()[0].waiting == 0, what="no waiter", deadline=rules.KEPT - 10)


def test_a_hold_goes_on_over_a_restart_and_a_kill_of_the_daemon(
    home: Home, project: Path, daemons: Daemons
) -> None:
    with holding(home, project, "--agent", "one", "--lease", "20", "--", "sleep", "60") as process:
        held = holder("one")
        for number in (signal.SIGTERM, signal.SIGKILL):
            pid = daemons.pid()
            daemons.kill(pid, number)
            daemons.gone(pid)
            before = held
            held = beaten(before)
            assert held.id == before.id
        assert process.poll() is None


def test_a_waiter_goes_on_waiting_over_a_restart_and_a_stop_is_not_held_up(
    home: Home, project: Path, daemons: Daemons
) -> None:
    with zdriver.connect() as driver:
        driver.claims.claim("feat-a", agent="one", cwd=str(project))
    got: list[Claim] = []

    def wait() -> None:
        with zdriver.connect() as driver:
            got.append(driver.claims.claim("feat-a", agent="two", wait=300, cwd=str(project)))

    thread = threading.Thread(target=wait)
    thread.start()
    with zdriver.connect() as driver:
        until(lambda: driver.claims.list()[0].waiting == 1, what="a waiter")
    pid = daemons.pid()
    daemons.kill(pid, signal.SIGTERM)
    daemons.gone(pid)
    assert "did not finish" not in daemons.log()
    with zdriver.connect() as driver:
        until(lambda: driver.claims.list()[0].waiting == 1, what="the same waiter")
        driver.claims.release("feat-a", agent="one", cwd=str(project))
    thread.join(60)
    assert [claim.agent for claim in got] == ["two"]


def test_waiters_keep_their_places_when_the_daemon_is_killed(
    home: Home, project: Path, daemons: Daemons
) -> None:
    agents = [f"agent-{number}" for number in range(4)]
    got: list[tuple[str, int]] = []

    def wait(agent: str) -> None:
        with zdriver.connect() as driver:
            claim = driver.claims.claim("feat-a", agent=agent, wait=300, cwd=str(project))
            got.append((agent, claim.token))
            driver.claims.release("feat-a", agent=agent, token=claim.token, cwd=str(project))

    def waiting() -> int:
        with zdriver.connect() as driver:
            return driver.claims.list()[0].waiting

    with zdriver.connect() as driver:
        driver.claims.claim("feat-a", agent="zero", cwd=str(project))
    threads = []
    for agent in agents:
        threads.append(threading.Thread(target=wait, args=(agent,)))
        threads[-1].start()
        until(lambda: waiting() == len(threads), what="a place in the queue", deadline=20)
    for _ in range(2):
        pid = daemons.pid()
        daemons.kill(pid)
        daemons.gone(pid)
        assert waiting() == len(agents), "their places are in the store"
    with zdriver.connect() as driver:
        with pytest.raises(Conflict):
            driver.claims.claim("feat-a", agent="jumps", cwd=str(project))
        driver.claims.release("feat-a", agent="zero", cwd=str(project))
    for thread in threads:
        thread.join(60)
    assert got == [(agent, token) for token, agent in enumerate(agents, 2)]


def test_a_hold_that_is_taken_over_ends_its_command_and_says_who_and_why(
    cli: Cli, home: Home, project: Path
) -> None:
    with holding(home, project, "--agent", "one", "--lease", "6", "--", "sleep", "60") as process:
        holder("one")
        force = ("--agent", "two", "--force", "--reason", "one hangs")
        assert cli("claim", "feat-a", *force, cwd=project).returncode == 0
        _, said = process.communicate(timeout=60)
        assert process.returncode == 125
        assert "two took it over at" in said
        assert "one hangs" in said
    with zdriver.connect() as driver:
        assert [claim.agent for claim in driver.claims.list()] == ["two"]


def lose(driver: Driver, at: str, told: threading.Event) -> None:
    driver.claims.take("feat-a", agent="two", reason="because", cwd=at)
    assert told.wait(60)


def test_in_a_script_it_is_released_whatever_happens_and_a_loss_is_told(project: Path) -> None:
    at = str(project)
    with zdriver.connect() as driver:
        with pytest.raises(ZeroDivisionError), driver.claims.hold("feat-a", agent="one", cwd=at):
            raise ZeroDivisionError
        assert driver.claims.list() == ()
        told = threading.Event()
        with (
            pytest.raises(Conflict, match="two took it over"),
            driver.claims.hold("feat-a", agent="one", lease=6, cwd=at, lost=lambda _: told.set()),
        ):
            lose(driver, at, told)
        driver.claims.release("feat-a", agent="two", cwd=at)
        with driver.claims.hold("feat-a", agent="one", cwd=at):
            with driver.claims.hold("feat-a", agent="one", cwd=at):
                pass
            assert len(driver.claims.list()) == 1, "the inner one had it already"
        assert driver.claims.list() == ()
        driver.daemon.stop()


def test_without_a_daemon_the_same_holds(project: Path) -> None:
    with zdriver.open() as driver:
        with driver.claims.hold("feat-a", agent="one", lease=6, cwd=str(project)) as held:
            until(lambda: held.claim.expires_at > held.claim.claimed_at and held.claim.again, what="a beat")
            with pytest.raises(Conflict, match="held by one"):
                driver.claims.claim("feat-a", agent="two", cwd=str(project))
        assert driver.claims.list() == ()


def test_bad_input_is_said_in_a_line(cli: Cli, project: Path) -> None:
    def refused(*words: str) -> tuple[int, str]:
        return cli.refused(*words, cwd=project)

    assert refused("claim", "feat-a", "--lease", "-5") == (2, "invalid_input")
    assert refused("claim", "feat-a", "--lease", "0") == (2, "invalid_input")
    assert refused("claim", "feat-a", "--wait", "-1") == (2, "invalid_input")
    assert refused("claim", "feat-a", "--hold") == (2, "invalid_input")
    assert refused("claim", "feat-a", "--force") == (2, "invalid_input")
    assert refused("claim", "feat-a", "--agent", "") == (2, "invalid_input")
    assert refused("claim", "nothing") == (3, "not_found")
    assert refused("claim", "") == (2, "invalid_input"), "an unset variable is not where one stands"
    assert refused("release", "") == (2, "invalid_input")
    assert refused("claim", "feat-a", "--wait", "nan") == (2, "invalid_input")
    assert refused("claim", "feat-a", "--lease", "1e308") == (2, "invalid_input")
    assert refused("claim", "feat-a", "--renew") == (3, "not_found")
    assert refused("release", "feat-a") == (3, "not_found")
    outside = cli("claim", "feat-a", cwd=Path("/"))
    assert outside.returncode == 3
    assert cli.data("claims", cwd=Path("/")) == []


def beat_for_ever(driver: Driver, held: Claim) -> None:
    while True:
        driver.claims.beat(held.id)


def test_a_full_disk_refuses_a_claim_and_forgets_none(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], check=True)
    monkeypatch.setenv("ZDRIVER_STORAGE_PATH", str(disk / "zdriver.db"))
    try:
        with zdriver.open() as driver:
            held = driver.claims.claim("feat-a", agent="one", cwd=str(project))
            fill(disk / "ballast")
            with pytest.raises(StorageFull):
                beat_for_ever(driver, held)
            assert driver.claims.check("feat-a", agent="one", token=held.token, cwd=str(project))
            with pytest.raises(Conflict, match="held by one"):
                driver.claims.claim("feat-a", agent="two", cwd=str(project))
            (disk / "ballast").unlink()
            assert driver.claims.release("feat-a", agent="one", cwd=str(project)).token == held.token
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_nothing_is_said_of_waiting_while_the_command_runs(home: Home, project: Path) -> None:
    name = str(project.parent / "feat-a")
    words = ("sh", "-c", "echo be''gun; sleep 1.5")
    with in_terminal(home, "claim", name, "--hold", "--", *words) as terminal:
        screen = terminal.wait_for("code=0", deadline=60)
    assert "waiting" not in screen[screen.index("begun") :]
