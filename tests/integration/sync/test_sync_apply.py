"""What is under sync/ is in every worktree, and nothing that is somebody's is ever touched."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.integration.sync.conftest import Place, clean, git
from zdriver.core.errors import InvalidInput, Unavailable


def test_a_file_is_a_relative_link_in_every_worktree(place: Place) -> None:
    feature = place.add("feat-x")
    place.put("repo/.env", "A=1")
    place.put("global/tools/deep/lint.toml", "x")
    done = place.apply()
    assert (done.made, set(done.worktrees)) == (4, {"trunk-main", "feat-x"})
    for top in (place.trunk, feature):
        assert str((top / ".env").readlink()) == "../sync/repo/.env"
        assert str((top / "tools/deep/lint.toml").readlink()) == "../../../sync/global/tools/deep/lint.toml"
        assert (top / "tools/deep/lint.toml").read_text() == "x"
        assert not (top / "tools").is_symlink()
        assert clean(top)
    assert place.events() == 1
    assert place.apply().made == 0
    assert place.events() == 1  # nothing happened, so nothing is told


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


def test_sync_repo_goes_before_sync_global_and_that_is_said(place: Place) -> None:
    place.put("global/.env", "global")
    place.put("global/only", "global")
    place.apply()
    assert (place.trunk / ".env").read_text() == "global"
    repo = place.put("repo/.env", "repo")
    assert place.apply().updated == 1
    assert (place.trunk / ".env").read_text() == "repo"
    assert place.status().hidden == (".env",)
    repo.unlink()
    place.apply()
    assert (place.trunk / ".env").read_text() == "global"


@pytest.mark.parametrize("what", ["file", "link", "folder", "tracked", "sparse"])
def test_what_is_there_already_is_a_conflict_with_a_way_out(place: Place, what: str) -> None:
    target = place.trunk / "thing"
    if what == "link":
        target.symlink_to("/etc/hostname")
    elif what == "folder":
        target.mkdir()
        (target / "own").write_text("mine")
    else:
        target.write_text("mine")
    if what in ("tracked", "sparse"):
        git("add", "thing", cwd=place.trunk)
        git("commit", "-qm", "thing", cwd=place.trunk)
    if what == "sparse":
        target.unlink()  # tracked, and not there
    before = os.lstat(target) if what != "sparse" else None
    place.put("repo/thing")
    done = place.apply()
    assert done.made == 0
    assert [(each.worktree, each.path) for each in done.obstacles] == [("trunk-main", "thing")]
    assert "ignore" in done.obstacles[0].hint
    assert done.obstacles[0].forcible is (what in ("file", "link"))
    if before is None:
        assert not os.path.lexists(target)
    else:
        after = os.lstat(target)
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    place.rules('"thing" = "ignore"')
    assert place.apply().obstacles == ()


def test_nothing_is_written_through_a_link_of_the_worktree(place: Place, tmp_path: Path) -> None:
    (place.trunk / "out").symlink_to(tmp_path)
    place.put("repo/out/file")
    done = place.apply()
    assert list(tmp_path.iterdir()) == []
    assert [each.path for each in done.obstacles] == ["out/file"]


def test_nothing_is_put_into_a_repository_inside(place: Place) -> None:
    inner = place.trunk / "vendor"
    inner.mkdir()
    git("init", "-q", cwd=inner)
    place.put("repo/vendor/.env")
    assert [each.path for each in place.apply().obstacles] == ["vendor/.env"]
    assert not os.path.lexists(inner / ".env")


def test_the_same_link_made_by_hand_stays_its_makers(place: Place) -> None:
    source = place.put("repo/.env")
    (place.trunk / ".env").symlink_to("../sync/repo/.env")
    assert place.apply().made == 0
    source.unlink()
    assert place.apply().removed == 0
    assert (place.trunk / ".env").is_symlink()


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


def test_a_folder_is_linked_as_one_only_where_that_is_asked_for(place: Place) -> None:
    place.put("repo/editor/a")
    place.put("repo/editor/b")
    place.apply()
    place.rules('"editor/" = "link"')
    done = place.apply()
    assert (done.made, done.removed) == (1, 2)
    assert str((place.trunk / "editor").readlink()) == "../sync/repo/editor"
    assert clean(place.trunk)
    place.rules()
    done = place.apply()
    assert (done.made, done.removed) == (2, 1)
    assert (place.trunk / "editor/a").is_symlink()


@pytest.mark.parametrize("name", ["node_modules", ".venv", "target", "deep/node_modules"])
def test_installed_and_built_folders_are_refused_with_the_reason(place: Place, name: str) -> None:
    place.put(f"repo/{name}/file")
    done = place.apply()
    assert done.made == 0
    assert [each.source for each in done.refused] == [f"sync/repo/{name}"]
    assert done.refused[0].reason
    assert "ignore" in done.refused[0].hint
    place.rules(f'"{name}/" = "ignore"')
    assert place.apply().refused == ()


def test_a_file_of_such_a_folder_can_be_named(place: Place) -> None:
    place.put("repo/deploy/target/prod.json")
    place.rules('"deploy/target/prod.json" = "link"')
    done = place.apply()
    assert (done.made, done.refused) == (1, ())


def test_what_is_no_file_is_judged_and_said(place: Place, tmp_path: Path) -> None:
    folder = place.container / "sync" / "repo"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "fifo")
    outside = tmp_path / "secret"
    outside.write_text("s")
    (folder / "out").symlink_to(outside)
    (folder / "nowhere").symlink_to("gone")
    (folder / "loop").symlink_to("loop")
    (folder / "folder").symlink_to(tmp_path)
    (folder / ".git").mkdir()
    (folder / ".env.swp").write_text("")
    (folder / os.fsdecode(b"bad\xff")).write_text("")
    here = Path.cwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind("socket")
    finally:
        os.chdir(here)
    done = place.apply()
    assert done.made == 1
    assert (place.trunk / "out").read_text() == "s"
    named = {each.source.removeprefix("sync/repo/"): each.reason for each in done.refused}
    assert set(named) == {"fifo", "socket", "nowhere", "loop", "folder", "bad\\udcff"}
    assert "pipe" in named["fifo"]
    assert [str(outside) in each.reason for each in place.status().remarks] == [True]
    place.rules('"out" = "copy"')
    done = place.apply()
    assert done.removed == 1  # a copy would spread what lies elsewhere


NAMES = [
    "-n",
    "--",
    "a b ",
    "new\nline",
    "two\n\nlines",
    "cr\r",
    "tab\t",
    "[x]*?",
    "#",
    "!",
    "\\",
    "é",
    "e\u0301",
]


def test_hostile_names_are_linked_and_out_of_git_status(place: Place) -> None:
    for name in NAMES:
        place.put(f"repo/{name}").write_bytes(name.encode())
        place.put(f"repo/in {name}/{name}", name)
    assert place.apply().made == 2 * len(NAMES)
    for name in NAMES:
        assert (place.trunk / name).read_bytes() == name.encode()
    assert clean(place.trunk)
    others = ["other", "new-line", "new\tline", "x", "ab", "a b"]
    for name in others:
        (place.trunk / name).write_text("own")
    status = git("status", "--porcelain", "-z", "--untracked-files=all", cwd=place.trunk)
    assert sorted(line[3:] for line in status.split("\0") if line) == sorted(others)
    place.put("repo/last")
    for name in NAMES:
        (place.container / "sync/repo" / name).unlink()
    assert place.apply().removed == len(NAMES)


def test_the_users_own_lines_of_info_exclude_stay(place: Place) -> None:
    file = place.trunk / ".git/info/exclude"
    file.write_bytes(b"*.log\n# mine, no newline at the end")
    source = place.put("repo/.env")
    place.apply()
    assert file.read_bytes().startswith(b"*.log\n# mine, no newline at the end\n")
    source.unlink()
    place.apply()
    assert file.read_bytes() == b"*.log\n# mine, no newline at the end\n"


def test_a_broken_rules_file_names_its_line_and_nothing_is_changed(place: Place) -> None:
    place.put("repo/a")
    place.apply()
    (place.container / "sync/repo/a").unlink()
    for text, line in (
        ('[paths]\n"a" = "lnik"\n', 2),
        ("[paths]\n\nx = [\n", 3),
        ('[path]\n"a" = "link"\n', 1),
    ):
        place.put("zdriver.toml", text)
        with pytest.raises(InvalidInput, match=rf"zdriver\.toml:{line}: ") as caught:
            place.apply()
        assert "link, copy, ignore" in caught.value.hint
        assert place.service.link(place.worktree("trunk-main"), place.repo).conflicts
    assert (place.trunk / "a").is_symlink()


def test_sync_may_be_a_link_itself_and_a_dead_one_changes_nothing(place: Place, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles"
    (real / "repo").mkdir(parents=True)
    (real / "repo" / ".env").write_text("x")
    (place.container / "sync").symlink_to(real)
    assert place.apply().made == 1
    assert (place.trunk / ".env").read_text() == "x"
    real.rename(tmp_path / "unmounted")
    with pytest.raises(Unavailable, match="leads nowhere"):
        place.apply()
    assert (place.trunk / ".env").is_symlink()


def test_a_worktree_whose_folder_is_gone_is_told_and_the_others_are_served(place: Place) -> None:
    feature = place.add("feat-x")
    place.put("repo/.env")
    place.apply()
    feature.rename(feature.with_name("elsewhere"))
    place.put("repo/b")
    known = place.service.bring(str(place.container))
    assert known.worktrees == ("trunk-main",)
    git("worktree", "repair", "../elsewhere", cwd=place.trunk)


def test_link_and_unlink_serve_one_worktree(place: Place) -> None:
    feature = place.add("feat-x")
    place.put("repo/.env")
    place.put("repo/copy", "c")
    place.rules('"copy" = "copy"')
    linked = place.service.link(place.worktree("feat-x"), place.repo)
    assert (linked.links, linked.copies, linked.conflicts) == (1, 1, ())
    assert place.service.link(place.worktree("feat-x"), place.repo) == linked
    assert not os.path.lexists(place.trunk / ".env")
    (feature / "copy").write_text("edited")
    assert place.service.unlink(place.worktree("feat-x"), place.repo) == 1
    assert (feature / "copy").read_text() == "edited"
    assert not os.path.lexists(feature / ".env")


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
