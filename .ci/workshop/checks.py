"""What can be said about the code without running it, and the plugin's native tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from workshop.phase import Failed, phase, run
from workshop.places import CHECKOUT, cache

PLUGIN = CHECKOUT / "zellij-plugin"


def static(deps: Path) -> Iterator[str]:
    """Every check in turn; yields the names of those that failed."""
    tools = deps / "bin"
    for what, argv in (
        ("style: ruff check", (tools / "ruff", "check", ".")),
        ("style: ruff format", (tools / "ruff", "format", "--check", ".")),
        ("types: mypy --strict, zdriver and its tests", (tools / "python", "-m", "mypy")),
        ("types: mypy --strict, the workshop", (tools / "python", "-m", "mypy", "--strict", ".ci/workshop")),
        ("layers: import-linter", (tools / "lint-imports", "--no-cache")),
    ):
        yield from _attempt(what, argv, {"MYPY_CACHE_DIR": str(cache() / "mypy")})


def plugin() -> Iterator[str]:
    """The plugin's pure half, natively: no wasm target is needed."""
    if not shutil.which("cargo"):
        raise Failed(
            "the plugin's tests need cargo: install Rust 1.95 or newer (rustup, with rustfmt and clippy)"
        )
    env = {"CARGO_TARGET_DIR": str(cache() / "plugin-target")}
    for what, argv in (
        ("plugin: cargo fmt", ("cargo", "fmt", "--all", "--check")),
        ("plugin: cargo clippy", (*_core("clippy"), "--all-targets", "--", "-D", "warnings")),
        ("plugin: cargo test", _core("test")),
    ):
        yield from _attempt(what, argv, env, cwd=PLUGIN)


def _core(command: str) -> tuple[str, ...]:
    return ("cargo", command, "--quiet", "--locked", "-p", "zdriver-core")


def _attempt(
    what: str, argv: tuple[str | Path, ...], env: dict[str, str], cwd: Path = CHECKOUT
) -> Iterator[str]:
    try:
        with phase(what):
            run(*argv, cwd=cwd, env=env)
    except Failed:
        yield what


def build_plugin() -> None:
    """Rebuild `zdriver/data/zdriver.wasm` from its sources."""
    run(
        PLUGIN / "build.sh",
        cwd=PLUGIN,
        env={"CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR") or str(cache() / "plugin-target")},
        limit=3600,
        says="building the plugin",
    )
