"""Patterns of sync/zdriver.toml mean what git says that they mean in .gitignore, and are never slow."""

from __future__ import annotations

import itertools
import random
import subprocess
from pathlib import Path

import pytest

from tests.integration.sync.conftest import git
from zdriver.sync.patterns import parse

NAMES = ["a", "b", "ab", "aab", "a.b", "ba", "x y"]
PATHS = [
    "/".join(names)
    for depth in (1, 2, 3)
    for names in itertools.product(NAMES[: 8 - 2 * depth], repeat=depth)
]
PIECES = ["a", "b", "*", "**", "?", "[ab]", "[!a]", ".", "[a-c]", "x y", "\\*"]


def patterns(count: int) -> list[str]:
    """Ones that may be given: no empty parts, no `.` and `..`."""
    draw = random.Random(7)
    made: list[str] = []
    while len(made) < count:
        parts = ["".join(draw.choices(PIECES, k=draw.randint(1, 3))) for _ in range(draw.randint(1, 4))]
        if not {".", ".."} & set(parts):
            made.append(draw.choice(["", "/"]) + "/".join(parts) + draw.choice(["", "", "/"]))
    return made


def ours(pattern: str) -> set[str]:
    quoted = pattern.replace("\\", "\\\\")
    rules = parse(f'[paths]\n"{quoted}" = "ignore"\n', "zdriver.toml")
    return {path for path in PATHS if rules.of(path) == "ignore"}


def gits(repo: Path, pattern: str) -> set[str]:
    (repo / ".git/info/exclude").write_text(f"{pattern}\n")
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=repo, input="\0".join(PATHS), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return set(done.stdout.split("\0")) - {""}


def test_a_pattern_means_what_git_says(tmp_path: Path) -> None:
    """But for characters of several bytes, of which `?` is one here."""
    git("init", "-q", ".", cwd=tmp_path)
    for pattern in patterns(400):
        assert ours(pattern) == gits(tmp_path, pattern), pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 60 + "b",
        "**/" * 30 + "b",
        "**/a/" * 30 + "b",
        "*a*/" * 15 + "b",
        "?" * 190 + "*" * 60 + "b",
        "[a-z]*" * 40 + "0",
    ],
)
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    rules = parse(f'[paths]\n"{pattern}" = "copy"\n', "zdriver.toml")
    for path in ("a" * 250, "/".join(["a"] * 90), "/".join(["a" * 200] * 15)):
        assert rules.of(path) is None
        assert rules.of_folder(path) is None
