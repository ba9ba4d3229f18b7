"""Environments: the locked dependencies once, and zdriver's wheel beside them.

`deps` holds what a lock file names; it is shared by all checkouts with the same lock.
`app` sees those through a .pth file and holds one built wheel, named by its digest: what
is tested and started is the wheel, and no checkout disturbs another.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from workshop.phase import Failed, run
from workshop.places import CHECKOUT, cache, locked
from workshop.pythons import Python

#: Written last: an environment without it was interrupted and is made again.
_READY = ".ready"
#: App environments kept; older ones go.
_KEPT = 8


def dependencies(python: Python, lock: str) -> Path:
    """The environment of `requirements/<lock>.txt`, installed with its hashes checked."""
    file = CHECKOUT / "requirements" / f"{lock}.txt"
    digest = hashlib.sha256(file.read_bytes() + python.path.encode()).hexdigest()[:12]
    env = cache() / "deps" / f"{lock}-{python.tag}-{digest}"
    with locked("environment"):
        if not (env / _READY).exists():
            _make(python, env)
            pip = (env / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
            run(*pip, "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", file)
            (env / _READY).touch()
    return env


def wheel(deps: Path) -> Path:
    """Build the wheel of this checkout, and keep it under its digest."""
    with tempfile.TemporaryDirectory() as scratch:
        run(deps / "bin" / "python", "-m", "hatchling", "build", "-t", "wheel", "-d", scratch, cwd=CHECKOUT)
        built = next(Path(scratch).glob("*.whl"), None)
        if built is None:
            raise Failed("hatchling built no wheel")
        digest = hashlib.sha256(built.read_bytes()).hexdigest()[:12]
        kept = cache() / "wheels" / digest / built.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(built, kept)
    return kept


def installed(python: Python, deps: Path, built: Path) -> Path:
    """An environment with the wheel `built` and the dependencies of `deps`."""
    env = cache() / "app" / f"{deps.name}-{built.parent.name}"
    with locked("environment"):
        if not (env / _READY).exists():
            _make(python, env, "--without-pip")
            (_site(env) / "zdriver-dependencies.pth").write_text(f"{_site(deps)}\n")
            pip = (deps / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
            target = ("--python", env / "bin" / "python")
            run(*pip, *target, "install", "--quiet", "--no-deps", "--no-index", "--compile", built)
            (env / _READY).touch()
        _forget_old(env)
    return env


def _make(python: Python, env: Path, *options: str) -> None:
    shutil.rmtree(env, ignore_errors=True)
    run(python.path, "-m", "venv", *options, env)


def _site(env: Path) -> Path:
    return next((env / "lib").glob("python3.*")) / "site-packages"


def _forget_old(current: Path) -> None:
    (current / _READY).touch()
    ready = (env for env in current.parent.iterdir() if (env / _READY).exists())
    by_use = sorted(ready, key=lambda env: (env / _READY).stat().st_mtime, reverse=True)
    for env in by_use[_KEPT:]:
        shutil.rmtree(env, ignore_errors=True)
