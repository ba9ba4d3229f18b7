"""The daemon follows sync/: what changes there is in every worktree without a command."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

import zdriver
from tests.integration.commands import Cli
from tests.integration.daemons import Daemons
from tests.integration.sync.conftest import Place, clean, git, make, mounted
from zdriver.core import killpoint
from zdriver.core.errors import Unavailable
from zdriver.daemon import syncing
from zdriver.testing import Home, until


class Followed:
    """A container with two worktrees that the daemon of this home follows."""

    def __init__(self, container: Path, daemons: Daemons) -> None:
        self.container = container
        self.daemons = daemons
        self.trunk = make(container)
        self.feature = container / "feat-x"
        git("worktree", "add", "-q", "../feat-x", cwd=self.trunk)
        self.shared = container / "sync" / "repo"
        self.shared.mkdir(parents=True)
        self.follow()

    def follow(self) -> None:
        with zdriver.connect() as driver:
            driver.sync.status(cwd=str(self.trunk))

    def put(self, path: str, text: str = "shared") -> Path:
        file = self.shared / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def links(self, top: Path) -> dict[str, str]:
        """Path → where it leads, of what is a link in a worktree."""
        found = {}
        for folder, folders, names in os.walk(top):
            for name in (*names, *folders):
                file = Path(folder, name)
                with contextlib.suppress(OSError):  # no link, or not any more
                    found[str(file.relative_to(top))] = str(file.readlink())
        return found

    def has(self, *paths: str, layer: str = "repo") -> None:
        """Until every worktree has links to these, and to nothing else."""
        wanted = {path: f"{'../' * (path.count('/') + 1)}sync/{layer}/{path}" for path in paths}
        tops = (self.trunk, self.feature)
        until(
            lambda: [self.links(top) for top in tops] == [wanted, wanted],
            what=f"{sorted(wanted)} in both worktrees",
        )
        assert all(map(clean, tops))

    def kill_daemon(self) -> None:
        pid = self.daemons.pid()
        self.daemons.kill(pid)
        self.daemons.gone(pid)


@pytest.fixture
def followed(home: Home, daemons: Daemons) -> Followed:
    return Followed(home.path / "project", daemons)


def test_adding_editing_renaming_and_deleting_is_there_in_every_worktree(followed: Followed) -> None:
    env = followed.put(".env", "A=1")
    followed.has(".env")
    env.write_text("A=2")
    assert (followed.feature / ".env").read_text() == "A=2"
    followed.put("deep/er/one")
    followed.put("deep/two")
    followed.has(".env", "deep/er/one", "deep/two")
    env.rename(env.with_name(".env.local"))
    (followed.shared / "deep").rename(followed.shared / "moved")
    followed.has(".env.local", "moved/er/one", "moved/two")
    assert not (followed.feature / "deep").exists()
    (followed.shared / "moved/er/one").unlink()
    followed.has(".env.local", "moved/two")
    # Into a folder that was renamed, and of an editor that writes beside and renames.
    followed.put("moved/three")
    (followed.shared / "moved/.two.swp").write_text("half")
    (followed.shared / "moved/two.new~").write_text("new")
    (followed.shared / "moved/two.new~").rename(followed.shared / "moved/two")
    followed.has(".env.local", "moved/two", "moved/three")
    shutil.rmtree(followed.shared / "moved")
    followed.has(".env.local")


def test_a_file_becomes_a_folder_and_a_file_again(followed: Followed) -> None:
    file = followed.put("thing")
    followed.has("thing")
    file.unlink()
    followed.put("thing/a")
    followed.put("thing/b/c")
    followed.has("thing/a", "thing/b/c")
    shutil.rmtree(file)
    file.write_text("a file")
    followed.has("thing")


def test_a_copy_follows_its_source_and_a_rule_is_heard(followed: Followed) -> None:
    source = followed.put("local.json", "1")
    followed.has("local.json")
    rules = followed.container / "sync/zdriver.toml"
    rules.write_text('[paths]\n"*.json" = "copy"\n')
    copies = [top / "local.json" for top in (followed.trunk, followed.feature)]

    def copied(text: str) -> bool:
        return all(not copy.is_symlink() and copy.read_text() == text for copy in copies)

    for text in ("1", "2"):
        source.write_text(text)
        until(partial(copied, text), what="copies")
    rules.write_text('[paths]\n"*.json" = "ignore"\n')
    until(lambda: not any(copy.exists() for copy in copies), what="no copies")
    rules.unlink()
    followed.has("local.json")


def test_sync_repo_goes_before_sync_global_as_they_come_and_go(followed: Followed) -> None:
    shared = followed.container / "sync/global"
    shared.mkdir()
    (shared / ".env").write_text("global")
    followed.has(".env", layer="global")
    own = followed.put(".env")
    followed.has(".env")
    own.unlink()
    followed.has(".env", layer="global")
    shutil.rmtree(shared)
    followed.has()


def test_what_happened_while_no_daemon_ran_is_made_good_when_one_starts(followed: Followed) -> None:
    followed.put("stays")
    gone, moved = followed.put("gone"), followed.put("folder/moved")
    followed.has("stays", "gone", "folder/moved")
    followed.kill_daemon()
    gone.unlink()
    moved.parent.rename(followed.shared / "renamed")
    followed.put("new/one")
    followed.daemons.pid()  # any command starts one
    followed.has("stays", "renamed/moved", "new/one")


def test_a_worktree_that_is_made_later_has_it_all_and_follows(followed: Followed) -> None:
    followed.put(".env", "A=1")
    followed.has(".env")
    with zdriver.connect() as driver:
        made = Path(driver.worktrees.add("feat", "user-auth", cwd=str(followed.trunk)).worktree.path)
    assert str((made / ".env").readlink()) == "../sync/repo/.env"
    followed.put("config/new")
    until(lambda: (made / "config/new").exists(), what="a file that came later")
    assert clean(made)


def test_where_the_container_is_made_later_it_is_followed_from_then_on(home: Home) -> None:
    """A repository beside which nothing lies yet: its container is made with the first worktree."""
    trunk = home.path / "plain"
    make(home.path / "elsewhere").rename(trunk)
    with zdriver.connect() as driver:
        assert not Path(driver.sync.status(cwd=str(trunk)).container).exists()
        made = Path(driver.worktrees.add("feat", "one", cwd=str(trunk)).worktree.path)
        shared = Path(driver.sync.status(cwd=str(trunk)).container) / "sync/repo"
    shared.mkdir(parents=True)
    (shared / ".env").write_text("A=1")
    for top in (trunk, made):
        until((top / ".env").exists, what=f".env in {top.name}")
    shutil.rmtree(shared.parent.parent / "sync")
    until(lambda: not (trunk / ".env").is_symlink(), what="that it goes")


@pytest.mark.parametrize("step", ["made", "exchanged", "shown"])
def test_a_daemon_that_is_killed_on_the_way_goes_on_where_it_was(followed: Followed, step: str) -> None:
    goes = followed.put("deep/goes")
    shared = followed.container / "sync/global"
    shared.mkdir()
    (shared / "moves").write_text("global")
    until(lambda: (followed.feature / "moves").exists(), what="both")
    followed.kill_daemon()
    followed.put("comes")
    followed.put("moves", "repo")
    goes.unlink()
    (shared / "moves").unlink()
    # It gets there by itself, perhaps before it could answer anybody.
    armed = followed.daemons.run("daemon", "run", env={killpoint.VARIABLE: f"sync.apply:{step}"})
    assert armed.returncode == -signal.SIGKILL, armed.stderr
    followed.daemons.pid()
    followed.has("comes", "moves")
    assert not (followed.feature / "deep").exists()


def test_a_file_that_is_written_all_the_time_holds_up_no_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log under sync/: there is no moment of quiet to wait for. What bounds a burst is not what helps."""
    monkeypatch.setattr(syncing, "QUIET", 1.0)  # so that a busy machine makes no such moment
    monkeypatch.setattr(syncing, "LONGEST_BURST", 3600.0)
    log = place.put("repo/log")
    following = syncing.Syncing(place.service, place.store)
    following.start()
    place.status()  # followed from now on
    until((place.trunk / "log").exists, what="the log")
    endless = 'while :; do echo line >> "$1"; done'
    with subprocess.Popen(["sh", "-c", endless, "sh", str(log)]) as writer:
        try:
            until(lambda: log.stat().st_size > 10_000, what="a log that is written")
            place.put("repo/new")
            until((place.trunk / "new").exists, what="a file beside it")
        finally:
            writer.kill()
            following.stop()


def test_what_was_in_the_way_for_a_moment_is_tried_again_soon(followed: Followed) -> None:
    """Nothing more happens under sync/ that would be a reason to look."""
    lock = followed.trunk / ".git/info/exclude.lock"
    lock.touch()
    followed.put("one")
    until(lambda: "exclude.lock" in followed.daemons.log(), what="that it is said")
    lock.unlink()
    followed.has("one")


def test_what_the_system_refuses_is_exit_code_1_on_the_command_line(followed: Followed, cli: Cli) -> None:
    with mounted(followed.feature, "--bind", str(followed.feature)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(followed.feature)], check=True)
        followed.put("one")  # now, and not before: whoever comes first finds it refused
        for words in (("apply",), ("repair", "feat-x"), ("apply", "--json")):
            done = cli("sync", *words, cwd=followed.trunk)
            assert done.returncode == 1
            assert "Read-only file system" in done.stdout + done.stderr
    done = cli("sync", "apply", cwd=followed.trunk)
    assert done.returncode == 0, done.stderr
    followed.has("one")  # whoever was first, the command or the daemon's own next try
    (followed.feature / "one").unlink()
    done = cli("sync", "apply", cwd=followed.trunk)
    assert (done.returncode, "1 made in 1 worktree" in done.stdout) == (0, True)


def test_the_last_file_goes_also_while_no_daemon_ran(followed: Followed) -> None:
    only = followed.put("only")
    followed.has("only")
    followed.kill_daemon()
    only.unlink()
    followed.daemons.pid()
    followed.has()


@pytest.mark.parametrize("what", ["sync", "sync/repo"])
def test_a_folder_that_is_deleted_takes_its_links_with_it(followed: Followed, what: str) -> None:
    followed.put("one")
    followed.put("deep/two")
    followed.has("one", "deep/two")
    shutil.rmtree(followed.container / what)
    followed.has()
    followed.put("again")
    followed.has("again")


def test_a_folder_that_is_replaced_is_followed_from_then_on(followed: Followed) -> None:
    followed.put("one")
    followed.has("one")
    sync = followed.container / "sync"
    sync.rename(sync.with_name("sync.old"))
    shutil.copytree(sync.with_name("sync.old"), sync)
    followed.put("two")
    followed.has("one", "two")
    (sync.with_name("sync.old") / "repo/three").write_text("not followed any more")
    followed.put("four")
    followed.has("one", "two", "four")


def test_an_unmounted_folder_is_not_a_deleted_one(followed: Followed) -> None:
    sync = followed.container / "sync"
    shutil.rmtree(sync)
    sync.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(sync)], check=True)
    mounted = True
    try:
        followed.put("one")
        with zdriver.connect() as driver:
            driver.sync.apply(cwd=str(followed.trunk))
        followed.kill_daemon()  # the next one watches what is mounted
        followed.put("two")
        followed.follow()
        followed.has("one", "two")
        subprocess.run(["umount", "-l", str(sync)], check=True)
        mounted = False
        for start in (False, True):
            if start:
                followed.kill_daemon()
            with zdriver.connect() as driver:
                for ask in (driver.sync.apply, driver.sync.status):
                    with pytest.raises(Unavailable, match="is empty"):
                        ask(cwd=str(followed.trunk))
            until(lambda: "is empty" in followed.daemons.log(), what="that it is said")
            followed.has("one", "two")
        sync.rmdir()  # what the hint says, when it is meant
        followed.has()
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(sync)], check=True)


@pytest.mark.parametrize("what", ["loop", "file", "nowhere"])
def test_a_layer_that_cannot_be_read_takes_nothing_away(followed: Followed, what: str) -> None:
    followed.put("one")
    followed.put("deep/two")
    followed.has("one", "deep/two")
    followed.kill_daemon()
    aside = followed.shared.with_name("aside")
    followed.shared.rename(aside)
    if what == "file":
        followed.shared.write_text("")
    else:
        followed.shared.symlink_to("repo" if what == "loop" else "unmounted")
    with zdriver.connect() as driver, pytest.raises(Unavailable):
        driver.sync.apply(cwd=str(followed.trunk))
    until(lambda: "sync/repo" in followed.daemons.log(), what="that it is said")
    followed.has("one", "deep/two")
    followed.shared.unlink()
    aside.rename(followed.shared)
    (followed.shared / "one").unlink()
    followed.has("deep/two")
