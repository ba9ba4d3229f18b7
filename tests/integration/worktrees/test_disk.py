"""Disks that are full, and containers that cannot be written: one line says so, nothing is half done."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from tests.integration.worktrees.world import World, inventory
from zdriver.core.errors import StorageFull, Unavailable, ZdriverError


@pytest.fixture
def disk(world: World) -> Iterator[Path]:
    """16 MiB that really fill up, for the worktrees alone."""
    world.home.path.joinpath(".config", "zdriver").mkdir(parents=True, exist_ok=True)
    with mounted(world.home.path / "disk", "-t", "tmpfs", "-o", "size=16m", "tmpfs") as made:
        yield made


@contextmanager
def mounted(at: Path, *how: str) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", *how, str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    ballast.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder mounted over itself, as a file system that cannot be written."""
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def on(world: World, disk: Path) -> None:
    """Worktrees go there from now on."""
    config = world.home.path / ".config" / "zdriver" / "config.toml"
    config.write_text(f'[worktrees]\npath = "{disk}/trees"\n')


def test_no_room_for_a_worktree(world: World, disk: Path) -> None:
    on(world, disk)
    world.trunk.write("large.bin", "x" * 3_000_000)
    world.trunk.git("add", "large.bin")
    world.trunk.git("commit", "-q", "-m", "large")
    with world.service() as service:
        with full(disk), pytest.raises(ZdriverError) as refused:
            service.add("feat", "a", cwd=str(world.trunk))
        assert refused.value.exit_code == 5
        assert "space" in refused.value.message
        assert "make room" in refused.value.hint
        assert not list(disk.rglob("feat-a"))
        assert set(world.branches()) == {"main"}
        assert world.listed() == {str(world.trunk): "main"}
        assert len(service.list(cwd=str(world.trunk))) == 1
        assert service.add("feat", "a", cwd=str(world.trunk)).created


def test_no_room_to_remove_or_recover(world: World, disk: Path) -> None:
    on(world, disk)
    tree = Tree(Path(world.ok("add", type="feat", name="a")["worktree"]["path"]))
    tree.write("code.py", "changed\n")
    tree.write("un tracked/note.md", "mine\n")
    (tree.path / "empty").mkdir()
    before = inventory(tree)
    with world.service() as service:
        with full(disk), pytest.raises(StorageFull, match=str(disk)):
            service.remove("feat-a", force=True, cwd=str(world.trunk))
        assert inventory(tree) == before
        removed = service.remove("feat-a", force=True, cwd=str(world.trunk))
        with full(disk), pytest.raises(ZdriverError) as refused:
            service.recover(removed.id, cwd=str(world.trunk))
        assert refused.value.exit_code == 5
        assert not tree.path.exists()
        service.recover(removed.id, cwd=str(world.trunk))
        assert inventory(tree) == before


def test_a_full_disk_under_the_repository(world: World) -> None:
    """No room for git's own files: the worktree stays, with all that is in it."""
    with mounted(world.home.path / "small", "-t", "tmpfs", "-o", "size=4m", "tmpfs") as small:
        tree = Tree(small / "app")
        tree.path.mkdir()
        tree.git("init", "-q", "-b", "main")
        tree.commit("code.py", "one\n")
        with world.service() as service:
            path = service.add("feat", "a", cwd=str(tree)).worktree.path
            made = Tree(Path(path))
            made.write("code.py", "changed\n" * 1000)
            made.write("new.txt", "mine\n")
            before = inventory(made)
            with full(small):
                with pytest.raises(Unavailable) as refused:
                    service.add("feat", "b", cwd=str(tree))
                assert "disk" in refused.value.hint
                with pytest.raises(Unavailable) as refused:
                    service.remove("feat-a", force=True, cwd=str(tree))
                assert "disk" in refused.value.hint
            assert inventory(made) == before
            assert service.repair(cwd=str(tree)) == ()
            assert inventory(made) == before
            assert service.add("feat", "b", cwd=str(tree)).created
            removed = service.remove("feat-a", force=True, cwd=str(tree))
            service.recover(removed.id, cwd=str(tree))
            assert inventory(made) == before
        tree.git("fsck", "--strict", "--no-dangling")


def test_a_container_that_cannot_be_written(world: World) -> None:
    tree = world.add("a")
    tree.write("new.txt", "mine\n")
    before = (inventory(tree), world.branches())
    with world.service() as service:
        with read_only(world.container):
            for name in ("b", "c"):
                with pytest.raises(Unavailable) as refused:
                    service.add("feat", name, cwd=str(world.trunk))
                assert str(world.container) in refused.value.message
                assert "worktrees.path" in refused.value.hint
                assert refused.value.exit_code == 5
            with pytest.raises(Unavailable, match=f"{world.container} cannot be written"):
                service.remove("feat-a", force=True, cwd=str(world.trunk))
        assert (inventory(tree), world.branches()) == before
        assert service.repair(cwd=str(world.trunk)) == ()
        service.add("feat", "b", cwd=str(world.trunk))
    world.agree()
