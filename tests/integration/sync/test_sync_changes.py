"""What changes under sync/, or in its rules, changes in every worktree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.sync.conftest import Place, clean


def test_what_goes_from_sync_goes_everywhere_with_the_folders_made_for_it(place: Place) -> None:
    own = place.trunk / "tools" / "own"
    gone = place.put("repo/tools/deep/a")
    moved = place.put("repo/b")
    place.apply()
    own.mkdir()
    gone.unlink()
    moved.rename(moved.with_name("c"))
    done = place.apply()
    assert (done.made, done.removed) == (1, 2)
    assert not os.path.lexists(place.trunk / "b")
    assert str((place.trunk / "c").readlink()) == "../sync/repo/c"
    assert not (place.trunk / "tools/deep").exists()
    assert own.is_dir()
    exclude = (place.trunk / ".git/info/exclude").read_text()
    assert "/c\n" in exclude
    assert "/b\n" not in exclude


def test_copies_follow_their_source_until_they_are_edited(place: Place) -> None:
    source = place.put("repo/config/local.json", "1")
    source.chmod(0o755)
    place.rules('"config/*.json" = "copy"')
    place.apply()
    copy = place.trunk / "config/local.json"
    assert not copy.is_symlink()
    assert (copy.read_text(), copy.stat().st_mode & 0o777) == ("1", 0o755)
    assert clean(place.trunk)
    source.write_text("2")
    assert place.apply().updated == 1
    assert copy.read_text() == "2"
    copy.write_text("edited")
    assert place.apply().obstacles == ()
    assert place.status().worktrees[0].changed == 1
    source.write_text("3")
    assert [each.path for each in place.apply().obstacles] == ["config/local.json"]
    assert copy.read_text() == "edited"
    source.unlink()
    assert place.apply().kept == ("trunk-main/config/local.json",)
    assert copy.read_text() == "edited"
    assert not clean(place.trunk)  # it is the user's now, and git shows it


def test_a_rule_changes_links_into_copies_and_back(place: Place) -> None:
    place.put("repo/a", "x")
    place.apply()
    place.rules('"a" = "copy"')
    assert place.apply().updated == 1
    assert not (place.trunk / "a").is_symlink()
    place.rules()
    assert place.apply().updated == 1
    assert str((place.trunk / "a").readlink()) == "../sync/repo/a"
    place.rules('"a" = "ignore"')
    assert place.apply().removed == 1


def test_folders_go_with_the_last_of_several_that_came_one_by_one(place: Place) -> None:
    """Applied by their paths: the second finds a folder that was made for the first."""
    container = str(place.container)
    own = place.trunk / "own"
    own.mkdir()
    for path in ("f/g/one", "f/g/two", "f/h/three", "own/sub/a", "own/sub/b"):
        place.put(f"repo/{path}")
        place.service.bring(container, (path,))
    for path in ("f/g/one", "own/sub/a", "f/g/two", "f/h/three", "own/sub/b"):
        (place.container / "sync/repo" / path).unlink()
        place.service.bring(container, (path,))
    assert not (place.trunk / "f").exists()
    assert list(own.iterdir()) == []


def test_a_folder_where_a_file_was_goes_with_what_is_in_it(place: Place) -> None:
    file = place.put("repo/thing")
    place.apply()
    file.unlink()
    inside = place.put("repo/thing/in/it")
    place.apply()
    inside.unlink()
    place.apply()
    assert not (place.trunk / "thing").exists()


def test_a_link_in_sync_is_judged_again_when_what_it_leads_to_comes_or_goes(
    place: Place, tmp_path: Path
) -> None:
    """Nothing happens to the link itself: only the path of something else is told."""
    container, layer = str(place.container), place.container / "sync/repo"
    layer.mkdir(parents=True)
    (layer / "link").symlink_to("target")
    (layer / "folder").mkdir()
    (layer / "folder/out").symlink_to(tmp_path / "outside")
    assert place.apply().made == 0
    target = place.put("repo/target")
    assert place.service.bring(container, ("target",)).made == 2
    assert (place.trunk / "link").read_text() == "shared"
    (tmp_path / "outside").write_text("out")
    target.unlink()
    done = place.service.bring(container, ("target",))
    assert (done.made, done.removed) == (1, 2)
    assert not os.path.lexists(place.trunk / "link")
    assert (place.trunk / "folder/out").read_text() == "out"
    (layer / "link").unlink()
    assert place.service.bring(container, ("link",)).worktrees == ()


@pytest.mark.parametrize("mode", ["link", "copy"])
@pytest.mark.parametrize("left", [True, False], ids=["as it was", "emptied"])
def test_a_file_takes_the_place_of_a_folder_that_was_made_for_links(
    place: Place, mode: str, left: bool
) -> None:
    """At once, also where a killed application, or the user, left that folder empty."""
    inside = place.put("repo/thing/in/it")
    place.rules(f'"thing" = "{mode}"', '"thing/in/it" = "link"')
    place.apply()
    if not left:
        (place.trunk / "thing/in/it").unlink()
    inside.unlink()
    inside.parent.rmdir()
    inside.parent.parent.rmdir()
    place.put("repo/thing", "a file")
    done = place.apply()
    assert (done.made, done.obstacles) == (1, ())
    assert (place.trunk / "thing").read_text() == "a file"
    assert (place.trunk / "thing").is_symlink() is (mode == "link")


@pytest.mark.parametrize("scope", ["config", "config/x", "config/x/y", "other"])
def test_a_change_applied_by_its_path_is_what_a_full_application_finds(place: Place, scope: str) -> None:
    place.put("global/config/x/y", "1")
    place.put("repo/other", "1")
    place.apply()
    place.put("repo/config/x/y", "2")
    (place.container / "sync/repo/other").unlink()
    place.put("repo/other/now/a/folder")
    place.service.bring(str(place.container), (scope,))
    place.service.bring(str(place.container), ("config/x/y", "other/now"))
    assert place.apply().worktrees == ()
    assert str((place.trunk / "config/x/y").readlink()) == "../../../sync/repo/config/x/y"
    assert (place.trunk / "other/now/a/folder").is_symlink()
