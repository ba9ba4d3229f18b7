"""`copy`: untracked files of the trunk in each new worktree, and nothing written over or outside."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.integration.hooks.conftest import Site
from zdriver.hooks.copying import PART, copy_files
from zdriver.hooks.model import FILE


def test_files_of_the_trunk_come_along(site: Site) -> None:
    site.tree.commit(FILE, 'copy = ["local.env", "certs/**", "cache", "spät é.txt", "not-there"]')
    site.tree.commit(".gitignore", "local.env\ncache/\n")
    site.tree.write("local.env", "SECRET=1\n").chmod(0o640)
    site.tree.write("certs/a/key.pem", "k\n").chmod(0o600)
    site.tree.write("certs/link", "").unlink()
    (site.tree.path / "certs" / "link").symlink_to("a/key.pem")
    site.tree.write("cache/deep/er/x", "x\n")
    site.tree.write("spät é.txt", "ä\n")
    site.tree.write("other", "not asked for\n")
    os.utime(site.tree.path / "local.env", ns=(1, 1_000_000_007))
    feat = site.add("x").path
    assert (feat / "local.env").read_text() == "SECRET=1\n"
    assert stat.S_IMODE((feat / "local.env").stat().st_mode) == 0o640
    assert (feat / "local.env").stat().st_mtime_ns == 1_000_000_007
    assert stat.S_IMODE((feat / "certs/a/key.pem").stat().st_mode) == 0o600
    assert os.readlink(feat / "certs" / "link") == "a/key.pem"  # noqa: PTH115 as text
    assert (feat / "cache/deep/er/x").read_text() == "x\n"
    assert (feat / "spät é.txt").read_text() == "ä\n"
    assert not (feat / "other").exists()
    assert not list(feat.rglob(PART))


def test_the_worktrees_own_file_counts(site: Site) -> None:
    """A branch that needs another file brings the wish along."""
    site.tree.commit(FILE, "copy = ['a']")
    site.tree.git("branch", "feat-x")
    site.tree.commit(FILE, "copy = ['b']")
    site.tree.write("a", "a\n")
    site.tree.write("b", "b\n")
    added = site.driver.worktrees.add("feat", "x", cwd=site.cwd, agent="ada")
    assert added.provided.copies == 1
    assert (Path(added.worktree.path) / "a").exists()
    assert not (Path(added.worktree.path) / "b").exists()


def test_a_repository_in_the_trunk_is_not_copied(site: Site) -> None:
    site.tree.commit(FILE, "copy = ['**']")
    nested = site.tree.path / "nested"
    site.tree.git("init", "-q", str(nested))
    (nested / "file").write_text("x")
    site.tree.write("plain", "x\n")
    feat = site.add("x").path
    assert (feat / "plain").exists()
    assert not (feat / "nested").exists()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    return source, target


def test_what_is_there_is_never_written_over(folders: tuple[Path, Path]) -> None:
    source, target = folders
    for name in ("file", "link", "folder"):
        (source / name).write_text("new")
    (target / "file").write_text("mine")
    (target / "link").symlink_to("nowhere")
    (target / "folder").mkdir()
    assert copy_files(str(source), str(target), ("file", "link", "folder")).count == 0
    assert (target / "file").read_text() == "mine"
    assert (target / "link").is_symlink()
    assert not (target / "nowhere").exists()


def test_nothing_leaves_the_worktree_through_a_link(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """A branch may track `out -> ../outside`: what is copied to out/ must not land there."""
    source, target = folders
    outside = tmp_path / "outside"
    outside.mkdir()
    (source / "out" / "deep").mkdir(parents=True)
    (source / "out" / "file").write_text("x")
    (source / "out" / "deep" / "file").write_text("x")
    (target / "out").symlink_to(outside)
    done = copy_files(str(source), str(target), ("out/file", "out/deep/file", "../outside/x", "/etc/x"))
    assert done.count == 0
    assert [warning.partition(" was")[0] for warning in done.warnings] == ["out/file", "out/deep/file"]
    assert list(outside.iterdir()) == []


def test_what_a_killed_copy_left_is_taken_away(folders: tuple[Path, Path]) -> None:
    source, target = folders
    (source / "file").write_text("whole")
    (target / PART).write_text("ha")
    assert copy_files(str(source), str(target), ("file",)).count == 1
    assert sorted(each.name for each in target.iterdir()) == ["file"]
    assert (target / "file").read_text() == "whole"
    assert copy_files(str(source), str(target), ("file",)).count == 0


def test_what_is_no_file_is_left_alone(folders: tuple[Path, Path]) -> None:
    source, target = folders
    os.mkfifo(source / "pipe")
    assert copy_files(str(source), str(target), ("pipe", "gone", "folder/")).count == 0
    assert list(target.iterdir()) == []


def test_a_big_file_is_whole(folders: tuple[Path, Path]) -> None:
    source, target = folders
    data = os.urandom(3 * 1024 * 1024 + 17)
    (source / "big").write_bytes(data)
    assert copy_files(str(source), str(target), ("big",)).count == 1
    assert (target / "big").read_bytes() == data
