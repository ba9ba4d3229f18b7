"""Hostile names: a safe folder in the container, shown as typed; or refused, and nothing is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.worktrees.world import World
from zdriver.core.errors import Conflict, InvalidInput, NotFound
from zdriver.worktrees.service import WorktreesService

GOOD = (
    *("two words", "-rf", "--force", "..x", "../../etc/passwd", "a/b", ".git", "con", "NUL.txt", "dots..."),
    *("HEAD", "refs/heads/main", "v1.2.lock", "$HOME `id` ;rm", "'quote\"", "w\\y", "*?[k]"),
    *("日本語のテスト", "исправить вход", "إصلاح الخطأ", "क्षत्रिय", "한국어", "café", "🎉 party 👩‍💻", "ﬀ"),
    *("x" * 200, "語" * 200, "new\nline", "tab\there", "%s {name} \\x", "trunk", "a" * 255),
)
BAD = (
    *("", "   ", "-", "..", ".", "/", "@", "@{}", "~", "\x00", "nul\0byte", "bell\a", "\u200b", "\udcff"),
    "x" * 501,
)
BRANCHES = ("-x", "a..b", "refs/heads/x", "HEAD", "@", "a b", "x.lock", "a~1", "\0", "/a")
BASES = ("-x", "--all", "nothing", "\0", "a b", "HEAD~99", "main..x", ":/first x", "\n")


def _add(service: WorktreesService, world: World, name: str) -> Path:
    added = service.add("feat", name, cwd=str(world.trunk))
    assert added.created, name
    path = Path(added.worktree.path)
    assert path.parent == world.container, name
    assert path.name == added.worktree.name
    assert (path / ".git").is_file()
    assert added.worktree.title == " ".join(name.split())
    return path


def test_any_name_becomes_a_folder_in_the_container(world: World) -> None:
    outside = {each.name for each in world.home.path.iterdir()}
    with world.service() as service:
        paths = [_add(service, world, name) for name in GOOD]
        assert len(set(paths)) == len(GOOD)
        shown = {line.worktree.title for line in service.list(cwd=str(world.trunk))}
        assert {" ".join(name.split()) for name in GOOD} <= shown
        for path, name in zip(paths, GOOD, strict=True):
            again = service.add("feat", name, cwd=str(world.trunk))
            assert (again.created, again.worktree.path) == (False, str(path))
    world.agree()
    assert {each.name for each in world.home.path.iterdir()} == outside
    for path in paths:
        assert world.listed()[str(path)] == path.name


def test_what_cannot_be_is_refused_before_anything_is_done(world: World) -> None:
    cwd = str(world.trunk)
    with world.service() as service:
        for name in BAD:
            with pytest.raises(InvalidInput):
                service.add("feat", name, cwd=cwd)
        for branch in BRANCHES:
            with pytest.raises(InvalidInput):
                service.add("feat", "a", branch=branch, cwd=cwd)
        for base in BASES:
            with pytest.raises(NotFound):
                service.add("feat", "a", base=base, cwd=cwd)
    assert [each.name for each in world.known()] == ["trunk-main"]
    assert world.listed() == {cwd: "main"}
    assert set(world.branches()) == {"main"}
    assert sorted(each.name for each in world.container.iterdir()) == ["sync", "trunk-main"]


def test_names_that_differ_only_in_case_are_one_too_many(world: World) -> None:
    with world.service() as service:
        service.add("feat", "User Auth", cwd=str(world.trunk))
        with pytest.raises(Conflict, match="upper and lower case"):
            service.add("feat", "user auth", cwd=str(world.trunk))
    world.agree()
