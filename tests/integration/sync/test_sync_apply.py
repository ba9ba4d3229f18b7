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
