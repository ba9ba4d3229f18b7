"""Which worktree a name means, where the store alone answers."""

from __future__ import annotations

import subprocess

import pytest

import zdriver
from zdriver.testing import Home


def test_a_whole_name_goes_before_what_begins_alike_and_what_is_no_text_is_not_found(home: Home) -> None:
    trunk = home.path / "app" / "trunk-main"
    trunk.mkdir(parents=True)
    for words in (("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "x")):
        author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *author, *words], cwd=trunk, env=home.env, check=True)
    with zdriver.open() as driver:
        for name in ("a", "a-b", "ab"):
            driver.worktrees.add("feat", name, cwd=str(trunk))
        for name, meant in (
            ("feat-a", "feat-a"),
            ("a", "feat-a"),
            ("A-B", "feat-a-b"),
            ("trunk", "trunk-main"),
        ):
            assert driver.worktrees.show(name, cwd=str(trunk)).worktree.name == meant
        for nothing in ("\udcff", "nul\0byte", "bell\a"):
            with pytest.raises(zdriver.NotFound):
                driver.worktrees.show(nothing, cwd=str(trunk))
