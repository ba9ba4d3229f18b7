"""Killed at any named step, what was begun is made good, and nothing that is somebody's is touched."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import zdriver.sync
from tests.integration.sync.conftest import Place, clean, make
from zdriver.core import killpoint
from zdriver.storage.sqlite import SqliteStore
from zdriver.sync.rules import BESIDE
from zdriver.sync.steps import STEPS
from zdriver.testing import Home


def apply(place: Place) -> object:
    return place.apply()


def force(place: Place) -> object:
    return place.service.repair("feat-x", force=True, cwd=str(place.trunk), agent="me")


def unlink(place: Place) -> object:
    return place.service.unlink(place.worktree("feat-x"), place.repo)


class Stage(msgspec.Struct):
    """A container whose store is closed while others use it."""

    home: Home
    container: Path

    def place(self, use: Callable[[Place], object]) -> None:
        with SqliteStore(self.home.database) as store:
            use(Place(self.container, store))

    def killed(self, step: str, use: Callable[[Place], object]) -> bool:
        """In a process that ends at `step`, if that is reached."""
        pid = os.fork()
        if pid == 0:
            os.environ[killpoint.VARIABLE] = f"sync.apply:{step}"
            try:
                self.place(use)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status) or status == 0, f"{step}: it failed"
        return os.WIFSIGNALED(status)


@pytest.fixture
def stage(home: Home) -> Stage:
    container = home.path / "project"
    make(container)
    made = Stage(home, container)
    made.place(before)
    return made


def before(place: Place) -> None:
    """Links, a copy and a folder are there; what the user has, too."""
    feature = place.add("feat-x")
    place.put("global/.env", "global")
    place.put("repo/stays", "s")
    place.put("repo/deep/er/goes", "g")
    place.put("repo/copy", "1")
    place.put("repo/gone.json", "j")
    place.rules('"copy" = "copy"', '"new.json" = "copy"', '"gone.json" = "copy"')
    place.apply()
    (feature / "own").write_text("mine")
    (feature / "notes").write_text("notes of mine")
    exclude = place.trunk / ".git/info/exclude"
    exclude.write_text("*.log\n" + exclude.read_text())


def change(place: Place) -> None:
    """Of everything something: made, replaced, copied, copied anew, removed."""
    place.put("repo/.env", "repo")
    place.put("repo/nested/new/link")
    place.put("repo/new.json", "n")
    place.put("repo/copy", "2")
    place.put("repo/own", "shared")
    (place.container / "sync/repo/deep/er/goes").unlink()
    (place.container / "sync/repo/gone.json").unlink()


def back(place: Place) -> None:
    """All of that undone, as `before` left it."""
    for path in (".env", "nested/new/link", "new.json", "own"):
        (place.container / "sync/repo" / path).unlink()
    place.put("repo/copy", "1")
    place.put("repo/deep/er/goes", "g")
    place.put("repo/gone.json", "j")


def right(place: Place, *, own: str = "mine") -> None:
    """Every worktree has what sync/ has, and nothing else of us; git shows only what is the user's."""
    place.apply()
    assert place.apply().worktrees == (), "applied twice is once"
    status = place.status()
    assert [each.missing for each in status.worktrees] == [0, 0]
    wanted = {
        str(file.relative_to(place.container / "sync" / layer))
        for layer in ("global", "repo")
        for file in (place.container / "sync" / layer).rglob("*")
        if file.is_file()
    }
    for top in (place.trunk, place.container / "feat-x"):
        for folder, _, names in os.walk(top):
            for name in names:
                file = Path(folder, name)
                assert not name.startswith(BESIDE), file
                assert file.exists(), f"{file} leads nowhere"
                if file.is_symlink():
                    assert str(file.relative_to(top)) in wanted
        layer = "repo" if (place.container / "sync/repo/.env").exists() else "global"
        assert str((top / ".env").readlink()) == f"../sync/{layer}/.env"
        assert (top / "copy").read_text() == (place.container / "sync/repo/copy").read_text()
        for path in wanted - {"own", "copy", ".env"}:
            assert (top / path).read_bytes() == (place.container / "sync/repo" / path).read_bytes()
        for path in ("deep", "nested"):  # folders that were made go with what they were made for
            assert (top / path).exists() is any(each.startswith(f"{path}/") for each in wanted), path
    feature = place.container / "feat-x"
    assert (feature / "own").read_text() == own
    assert (feature / "notes").read_text() == "notes of mine"
    exclude = (place.trunk / ".git/info/exclude").read_text()
    assert "*.log\n" in exclude
    listed = {line.removeprefix("/") for line in exclude.splitlines() if line.startswith("/")}
    assert listed == wanted
    assert clean(place.trunk)


#: Every step has a case, also where it is reached in another way.
CALLS: dict[str, tuple[Callable[[Place], object], ...]] = {
    "begun": (apply, force),
    "excluded": (apply,),
    "aside": (apply, unlink),
    "removed": (apply, unlink),
    "prepared": (apply, force),
    "exchanged": (apply, force),
    "replaced": (apply, force),
    "written": (apply,),
    "made": (apply,),
    "done": (apply, force),
    "shown": (apply, unlink),
    "told": (apply, unlink),
}
CASES = [pytest.param(step, call, id=f"{step}-{call.__name__}") for step in STEPS for call in CALLS[step]]


def test_each_step_has_a_case_and_each_point_a_name() -> None:
    assert set(CALLS) == set(STEPS)
    source = Path(zdriver.sync.__file__).parent
    reached = {
        name for file in source.glob("*.py") for name in re.findall(r'reach\("([^"]+)"\)', file.read_text())
    }
    assert reached == set(STEPS)


@pytest.mark.parametrize(("step", "call"), CASES)
def test_killed_there_the_next_application_makes_it_good(
    stage: Stage, step: str, call: Callable[[Place], object]
) -> None:
    stage.place(change)
    if call is force:
        stage.place(apply)
    assert stage.killed(step, call)
    # What --force was about to replace is back, until it was replaced and that was to be told.
    forced = call is force and step in ("replaced", "done")
    stage.place(lambda place: right(place, own="shared" if forced else "mine"))


@pytest.mark.parametrize("step", STEPS)
def test_killed_there_and_sync_is_what_it_was_all_is_as_before(stage: Stage, step: str) -> None:
    stage.place(change)
    assert stage.killed(step, apply)
    stage.place(back)
    stage.place(right)


@pytest.mark.parametrize("order", [STEPS, STEPS[::-1]], ids=["forwards", "backwards"])
def test_killed_again_and_again_while_sync_changes(stage: Stage, order: tuple[str, ...]) -> None:
    """Never one application whole: each goes on from what the one before left."""
    killed = []
    for number, step in enumerate(order):
        stage.place(back if number % 2 else change)
        killed.append(stage.killed(step, apply))
    assert sum(killed) > len(STEPS) / 2
    stage.place(right)
