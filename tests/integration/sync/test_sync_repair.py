"""`repair`: with --force, what is somebody's own gives way, never unsaved and never against a claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.sync.conftest import Place, git
from zdriver.claims.service import ClaimsService
from zdriver.core.errors import Conflict, NotFound
from zdriver.sync.model import Applied
from zdriver.sync.service import SyncService


def repair(place: Place, name: str = "", *, paths: tuple[str, ...] = (), force: bool = False) -> Applied:
    return place.service.repair(name, paths=paths, force=force, cwd=str(place.trunk), agent="me")


def test_without_force_only_what_is_missing_is_made(place: Place) -> None:
    place.put("repo/a")
    place.put("repo/b")
    place.apply()
    (place.trunk / "a").unlink()
    (place.trunk / "b").unlink()
    (place.trunk / "b").write_text("mine")
    done = place.service.repair(cwd=str(place.trunk), agent="me")
    assert (done.made, done.aside) == (1, "")
    assert [each.path for each in done.obstacles] == ["b"]
    assert (place.trunk / "b").read_text() == "mine"


@pytest.mark.parametrize("own", ["file", "link"])
def test_with_force_a_copy_is_kept_aside(place: Place, own: str) -> None:
    place.put("repo/in/a")
    place.put("repo/b")
    (place.trunk / "b").write_text("stays")
    (place.trunk / "in").mkdir()
    if own == "file":
        (place.trunk / "in/a").write_text("mine")
    else:
        (place.trunk / "in/a").symlink_to("/etc/hostname")
    done = place.service.repair("trunk-main", paths=("in/a",), force=True, cwd=str(place.trunk), agent="me")
    assert (done.made, done.updated) == (0, 1)
    assert str((place.trunk / "in/a").readlink()) == "../../sync/repo/in/a"
    kept = Path(done.aside) / "trunk-main" / "in" / "a"
    assert str(kept.readlink()) == "/etc/hostname" if own == "link" else kept.read_text() == "mine"
    assert (place.trunk / "b").read_text() == "stays"  # it was not named


def test_a_path_that_is_not_shared_is_said(place: Place) -> None:
    place.put("repo/a")
    for path in ("b", "../a", "/etc/passwd", "\0", "a/b"):
        with pytest.raises(NotFound, match="shares no"):
            place.service.repair(paths=("a", path), force=True, cwd=str(place.trunk), agent="me")
    assert place.service.repair(paths=("./a",), force=True, cwd=str(place.trunk), agent="me").made == 1


def test_force_never_replaces_what_git_tracks_nor_a_folder(place: Place) -> None:
    (place.trunk / "tracked").write_text("t")
    (place.trunk / "folder").mkdir()
    git("add", "tracked", cwd=place.trunk)
    place.put("repo/tracked")
    place.put("repo/folder")
    done = place.service.repair("trunk-main", force=True, cwd=str(place.trunk), agent="me")
    assert done.updated == 0
    assert {each.path for each in done.obstacles} == {"tracked", "folder"}


def test_force_asks_for_the_claim(place: Place) -> None:
    place.add("feat-x")
    place.put("repo/.env")
    place.apply()
    feature = place.container / "feat-x"
    for top in (feature, place.trunk):
        (top / ".env").unlink()
        (top / ".env").write_text("mine")
    claims = ClaimsService(place.store, place.registry.find)
    place.service = SyncService(place.store, place.registry, claims.guard)
    claims.claim("feat-x", agent="claude", cwd=str(place.trunk))
    with pytest.raises(Conflict, match="claude"):
        place.service.repair("feat-x", force=True, cwd=str(place.trunk), agent="me")
    assert (feature / ".env").read_text() == "mine"
    # For all of them at once: those that are held are left out, and said.
    done = place.service.repair(force=True, cwd=str(place.trunk), agent="me")
    assert done.worktrees == ("trunk-main",)
    assert {each.worktree for each in done.obstacles} == {"feat-x"}
    assert (feature / ".env").read_text() == "mine"
    done = place.service.repair("feat-x", force=True, cwd=str(place.trunk), agent="claude")
    assert done.worktrees == ("feat-x",)
