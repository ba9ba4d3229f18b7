"""Run the tests on an installed wheel, from a copy in which the package's sources are missing."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workshop.phase import shown
from workshop.places import CHECKOUT
from workshop.starting import path_with

QUICK = ("tests/unit", "tests/contract")
ALL = (*QUICK, "tests/integration", "tests/e2e")


@contextmanager
def copied() -> Iterator[Path]:
    """A folder with all of the checkout but `zdriver/`: what is imported can only be the wheel."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    with tempfile.TemporaryDirectory(prefix="zdriver-tests-") as scratch:
        for name in filter(None, listed.split("\0")):
            source, target = CHECKOUT / name, Path(scratch) / name
            if name.startswith("zdriver/") or not source.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        yield Path(scratch)


def pytest(
    app: Path, where: Path, folders: tuple[str, ...], *options: str, zellij: Path | None = None
) -> int:
    """pytest's exit code for those of `folders` that are there; its output is shown as it comes."""
    env = {
        # The test that asks where zdriver was imported from compares with this.
        "ZDRIVER_TEST_PREFIX": str(app),
        "PATH": path_with(app, zellij),
        "PYTHONPATH": "",
    }
    there = [folder for folder in folders if any((where / folder).rglob("test_*.py"))]
    python = app / "bin" / "python"
    common = ("-p", "no:cacheprovider", "--timeout=300", "--durations=12", "--durations-min=2")
    return shown(python, "-m", "pytest", *common, *options, *there, cwd=where, env=env, limit=3600)
