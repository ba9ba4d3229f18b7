"""What stands against sharing: disks, locks, strangers, and more of everything than anybody has."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.sync.conftest import Place, clean, git, mounted
from zdriver.core.errors import Conflict, Unavailable
from zdriver.git import excludes
from zdriver.storage.sqlite import SqliteStore
from zdriver.sync import sources
from zdriver.sync.patterns import Rules
from zdriver.sync.rules import BESIDE
from zdriver.testing import Home


def left_over(place: Place) -> list[Path]:
    return [file for file in place.container.rglob("*") if file.name.startswith(BESIDE)]


def test_a_worktree_that_cannot_be_written_is_told_and_the_others_are_served(place: Place) -> None:
    feature = place.add("feat-x")
    place.put("repo/one")
    place.apply()
    with mounted(feature, "--bind", str(feature)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(feature)], check=True)
        place.put("repo/two")
        (place.container / "sync/repo/one").unlink()
        done = place.apply()
        assert done.worktrees == ("trunk-main",)
        assert [(each.worktree, "Read-only" in each.reason) for each in done.failures] == [("feat-x", True)]
        assert "zdriver sync apply" in done.failures[0].hint
        assert (feature / "one").is_symlink()
    assert place.apply().worktrees == ("feat-x",)
    assert not os.path.lexists(feature / "one")
    assert (feature / "two").exists()


def test_a_full_disk_leaves_no_half_of_a_copy(place: Place) -> None:
    feature = place.container / "feat-x"
    feature.mkdir()
    with mounted(feature, "-t", "tmpfs", "-o", "size=256k", "tmpfs"):
        git("worktree", "add", "-q", "-b", "feat-x", str(feature), cwd=place.trunk)
        place.put("repo/small", "s")
        place.put("repo/large").write_bytes(bytes(1 << 20))
        place.rules('"*" = "copy"')
        done = place.apply()
        assert [(each.worktree, each.path) for each in done.failures] == [("feat-x", "large")]
        assert "make room" in done.failures[0].hint
        assert (place.trunk / "large").stat().st_size == 1 << 20
        assert left_over(place) == []
        assert not (feature / "large").exists()
        place.put("repo/large", "less")
        assert place.apply().failures == ()
        assert (feature / "large").read_text() == "less"
        assert place.apply().worktrees == ()


def test_while_another_changes_info_exclude_nothing_is_made_that_git_would_show(place: Place) -> None:
    lock = place.trunk / ".git/info/exclude.lock"
    lock.touch()
    source = place.put("repo/.env")
    with pytest.raises(Conflict, match=r"exclude\.lock"):
        place.apply()
    assert not os.path.lexists(place.trunk / ".env")
    lock.unlink()
    assert place.apply().made == 1
    lock.touch()
    source.unlink()
    with pytest.raises(Conflict, match=r"exclude\.lock"):
        place.apply()
    lock.unlink()
    place.apply()
    (place.trunk / ".env").write_text("mine")
    assert not clean(place.trunk), "a file of one's own is not hidden for what was there before"


def test_a_kill_while_info_exclude_is_written_is_in_nobodys_way(place: Place) -> None:
    place.put("repo/.env")
    pid = os.fork()
    if pid == 0:
        os.fchmod = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        try:
            excludes.change(str(place.trunk / ".git"), ["killed"])
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert place.apply().made == 1
    assert clean(place.trunk)
    assert sorted(file.name for file in (place.trunk / ".git/info").iterdir()) == ["exclude"]


def test_what_others_write_into_info_exclude_stays_and_what_they_take_out_comes_back(place: Place) -> None:
    place.put("repo/.env")
    place.put("repo/b")
    place.apply()
    file = place.trunk / ".git/info/exclude"
    file.write_text("mine\n" + file.read_text().replace("/.env\n", "inside\n") + "after\n")
    assert not clean(place.trunk)
    place.apply()
    assert clean(place.trunk)
    lines = file.read_text().splitlines()
    assert {"mine", "inside", "after", "/.env", "/b"} <= set(lines)
    file.write_text("")  # all of it
    place.apply()
    assert clean(place.trunk)
    file.unlink()
    place.apply()
    assert clean(place.trunk)
    for name in (".env", "b"):
        (place.container / "sync/repo" / name).unlink()
    place.apply()
    assert file.read_text() == ""


def test_a_worktree_that_git_removed_leaves_nothing_in_info_exclude(place: Place) -> None:
    place.add("feat-x")
    (place.trunk / "only").write_text("in the way here")
    place.put("repo/only")
    place.apply()
    assert "/only\n" in (place.trunk / ".git/info/exclude").read_text()
    git("worktree", "remove", "--force", "feat-x", cwd=place.trunk)
    place.apply()
    place.apply()
    assert "/only\n" not in (place.trunk / ".git/info/exclude").read_text()
    assert not clean(place.trunk)


def test_unlinking_a_folder_that_is_gone_leaves_nothing_in_info_exclude(place: Place) -> None:
    feature = place.add("feat-x")
    (place.trunk / "only").write_text("in the way here")
    place.put("repo/only")
    place.apply()
    worktree = place.worktree("feat-x")
    feature.rename(place.container / "elsewhere")
    assert place.service.unlink(worktree, place.repo) == 0
    assert "/only\n" not in (place.trunk / ".git/info/exclude").read_text()


def test_two_homes_share_a_container_and_harm_each_other_in_nothing(place: Place, tmp_path: Path) -> None:
    """Two users, each with a store of their own: what one made is to the other somebody's own."""
    place.add("feat-x")
    place.rules('"copy*" = "copy"')
    wrong: list[BaseException] = []

    def often(apply: Callable[[], object]) -> None:
        try:
            for _ in range(12):
                apply()
        except BaseException as error:
            wrong.append(error)

    with SqliteStore(tmp_path / "other" / "zdriver.db") as store:
        other = Place(place.container, store)
        for number in range(6):
            for name in (f"link-{number}", f"copy-{number}", f"deep/{number}/link"):
                place.put(f"repo/{name}", str(number))
            for name in (f"link-{number - 1}", f"copy-{number - 1}", f"deep/{number - 1}/link"):
                (place.container / "sync/repo" / name).unlink(missing_ok=True)
            threads = [threading.Thread(target=often, args=(each.apply,)) for each in (place, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        for each in (place, other, place, other):
            each.apply()
    assert wrong == []
    assert left_over(place) == []
    for top in (place.trunk, place.container / "feat-x"):
        assert (top / "link-5").read_text() == (top / "copy-5").read_text() == "5"
        assert not [file for file in top.rglob("*") if file.is_symlink() and not file.exists()], "dangling"


def test_what_lies_too_deep_is_refused_and_the_rest_shared(place: Place) -> None:
    deep = place.container / "sync/repo"
    deep.mkdir(parents=True)
    here = os.open(deep, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    place.put("repo/one")
    done = place.apply()
    assert (done.made, [("deep" in each.reason) for each in done.refused]) == (1, [True])
    subprocess.run(["rm", "-rf", str(deep)], check=True)


def test_a_folder_below_that_cannot_be_read_changes_nothing(home: Home, place: Place) -> None:
    """As another user: for root everything can be read."""
    place.put("repo/open/a")
    place.put("repo/closed/b")
    folder = place.container / "sync/repo/closed"
    folder.chmod(0o700)
    for above in (home.path, place.container, folder.parent.parent, folder.parent):
        above.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(Unavailable, match=r"closed cannot be read: Permission denied") as caught:
            sources.scan(str(place.container), Rules())
        assert "nothing is changed" in caught.value.hint
    finally:
        os.seteuid(0)


def test_five_thousand_files_in_three_worktrees(place: Place) -> None:
    for name in ("feat-a", "feat-b"):
        place.add(name)
    for number in range(5000):
        place.put(f"repo/folder-{number % 50}/file-{number}")
    assert place.apply().made == 15_000
    assert place.apply().worktrees == ()
    assert all(clean(place.container / name) for name in ("trunk-main", "feat-a", "feat-b"))
    (place.container / "sync/repo/folder-7").rename(place.container / "sync/repo/renamed")
    done = place.apply()
    assert (done.made, done.removed) == (300, 300)
    subprocess.run(["rm", "-rf", str(place.container / "sync/repo")], check=True)
    (place.container / "sync/repo").mkdir()
    assert place.apply().removed == 15_000
    assert git("status", "--porcelain", "--ignored", cwd=place.trunk) == ""


def test_a_hundred_worktrees(place: Place) -> None:
    tops = [place.add(f"feat-{number}") for number in range(100)]
    for number in range(10):
        place.put(f"repo/file-{number}")
    assert place.apply().made == 1010
    place.service.bring(str(place.container), ("file-3",))
    (place.container / "sync/repo/file-3").unlink()
    assert place.service.bring(str(place.container), ("file-3",)).removed == 101
    assert all((top / "file-9").exists() and not os.path.lexists(top / "file-3") for top in tops)


def test_what_is_put_aside_lies_with_the_users_data(home: Home, place: Place) -> None:
    place.put("repo/a")
    (place.trunk / "a").write_text("mine")
    before = {file.name for file in place.container.iterdir()}
    done = place.service.repair("trunk-main", force=True, cwd=str(place.trunk), agent="me")
    assert {file.name for file in place.container.iterdir()} == before
    assert Path(done.aside).is_relative_to(home.path)
