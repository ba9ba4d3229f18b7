"""Our block in info/exclude, and that git understands its patterns."""

from __future__ import annotations

import threading

import pytest

from tests.integration.git.tree import Tree
from zdriver.core.errors import Unavailable
from zdriver.git import excludes
from zdriver.git.status import state

NAMES = (
    *(".env", "a*b", "a?b", "[x]", "#hash", "!not", "back\\slash", "end ", "two  ", "tab\t"),
    *("new\nline", "ü/ñ", "cr\r"),
)


def test_the_rest_of_the_file_stays(tree: Tree) -> None:
    file = tree.path / ".git" / "info" / "exclude"
    for before in ("", "mine\n", "no newline at the end", "# a\n\n\nb\n"):
        file.write_text(before)
        file.chmod(0o640)
        assert excludes.change(tree.git_dir, [".env", "b"])
        assert not excludes.change(tree.git_dir, ["b", ".env"])
        file.write_text(file.read_text() + "/appended by the user\n")
        assert excludes.change(tree.git_dir, (), ["b", "none"])
        assert "\n/.env\n" in file.read_text()
        assert "\n/b\n" not in file.read_text()
        assert excludes.change(tree.git_dir, (), [".env"])
        gap = "" if not before or before.endswith("\n") else "\n"
        assert file.read_text() == f"{before}{gap}/appended by the user\n"
        assert file.stat().st_mode & 0o777 == 0o640
        assert not excludes.change(tree.git_dir, (), [".env"])


@pytest.mark.parametrize("name", NAMES)
def test_a_pattern_means_that_file_in_every_worktree(tree: Tree, name: str) -> None:
    linked = tree.worktree("feat", "feat")
    for one in (tree, linked):
        one.write(name, "")
    excludes.change(tree.git_dir, [name])
    assert state(str(tree), "main").clean
    assert state(str(linked), "main").clean
    linked.write(f"below/{name}", "")
    assert state(str(linked), "main").untracked == 1


def test_without_the_file_or_its_folder(tree: Tree) -> None:
    (tree.path / ".git" / "info" / "exclude").unlink(missing_ok=True)
    (tree.path / ".git" / "info").rmdir()
    assert excludes.change(tree.git_dir, ["x"])
    tree.write("x", "")
    assert state(str(tree), "main").clean


def test_a_link_stays_a_link(tree: Tree) -> None:
    file = tree.path / ".git" / "info" / "exclude"
    dotfile = tree.path.parent / "dotfile"
    dotfile.write_text("mine\n")
    file.unlink(missing_ok=True)
    file.symlink_to(dotfile)
    excludes.change(tree.git_dir, ["x"])
    assert file.is_symlink()
    assert dotfile.read_text().startswith("mine\n# zdriver")


def test_at_once(tree: Tree) -> None:
    wanted = [f"n{number}" for number in range(30)]
    threads = [threading.Thread(target=excludes.change, args=(tree.git_dir, [one])) for one in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in wanted:
        tree.write(one, "")
    assert state(str(tree), "main").clean


def test_a_file_that_cannot_be_written(tree: Tree) -> None:
    file = tree.path / ".git" / "info" / "exclude"
    file.unlink(missing_ok=True)
    file.mkdir()
    with pytest.raises(Unavailable, match="exclude"):
        excludes.change(tree.git_dir, ["x"])
