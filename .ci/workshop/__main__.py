"""`.ci/python COMMAND`: what `make COMMAND` does."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from workshop import checks, debian, envs, pythons, starting, suite, zellij
from workshop.phase import Failed, phase, shown
from workshop.places import CHECKOUT, cache


def test(arguments: argparse.Namespace) -> int:
    """Set everything up, check everything, run every test; pytest's own summary comes last."""
    began = time.monotonic()
    with phase("programs the tests use"):
        debian.ensure(debian.FOR_TESTS)
    with phase(f"Zellij {zellij.VERSION}"):
        program = zellij.ensure()
    python = pythons.this()
    deps, app = _environment(python, "dev")
    broken = [*checks.static(deps), *checks.plugin()]
    with suite.copied() as where:
        broken += _on_the_newest(python, where)
        for what in broken:
            print(f"✗ failed before: {what}")
        print(f"▸ all tests, on {python} ({time.monotonic() - began:.0f} s so far)", flush=True)
        code = suite.pytest(app, where, suite.ALL, *arguments.options, zellij=program)
    return code or int(bool(broken))


def _environment(python: pythons.Python, lock: str) -> tuple[Path, Path]:
    with phase(f"{python} with the locked dependencies"):
        deps = envs.dependencies(python, lock)
        builder = deps if lock == "dev" else envs.dependencies(python, "build")
    with phase("the wheel, built and installed"):
        app = envs.installed(python, deps, envs.wheel(builder))
    return deps, app


def _on_the_newest(tried: pythons.Python, where: Path) -> list[str]:
    """The tests that need no other program, on the newest Python found."""
    newest = pythons.newest()
    if newest.tag == tried.tag:
        print(f"  {tried} is the newest Python here: nothing to repeat", flush=True)
        return []
    what = f"unit and contract tests on {newest}"
    try:
        _deps, app = _environment(newest, "dev")
        with phase(what):
            code = suite.pytest(app, where, suite.QUICK, "-q", "--no-header")
            if code:
                raise Failed(f"pytest ended with {code}")
    except Failed:
        return [what]
    return []


def lint(_: argparse.Namespace) -> int:
    with phase("Python with the locked dependencies"):
        deps = envs.dependencies(pythons.this(), "dev")
    return int(bool([*checks.static(deps), *checks.plugin()]))


def start(_: argparse.Namespace) -> int:
    """Open Zellij with zdriver here; without a terminal, play the demo."""
    with phase(f"Zellij {zellij.VERSION}"):
        program = zellij.ensure()
    _deps, app = _environment(pythons.this(), "run")
    starting.start(app, program)
    return 0


def bench(arguments: argparse.Namespace) -> int:
    """Measure the installed wheel; the table is printed and `bench.json` written."""
    with phase(f"Zellij {zellij.VERSION}"):
        program = zellij.ensure()
    _deps, app = _environment(pythons.this(), "dev")
    with suite.copied() as where:
        out = ("--json", CHECKOUT / "bench.json")
        environment = {"PATH": starting.path_with(app, program)}
        module = (app / "bin" / "python", "-m", "tests.bench")
        return shown(*module, *out, *arguments.options, cwd=where, env=environment)


def faults(arguments: argparse.Namespace) -> int:
    """Break things under the installed wheel and count; all of it writes docs/reliability.md."""
    with phase("programs the tests use"):
        debian.ensure(debian.FOR_TESTS)
    _deps, app = _environment(pythons.this(), "dev")
    with suite.copied() as where:
        out = () if arguments.options else ("--write", CHECKOUT / "docs" / "reliability.md")
        environment = {"PATH": starting.path_with(app, None)}
        module = (app / "bin" / "python", "-m", "tests.faults")
        return shown(*module, *out, *arguments.options, cwd=where, env=environment)


def plugin(_: argparse.Namespace) -> int:
    with phase("the plugin's wasm"):
        checks.build_plugin()
    return 0


def clean(_: argparse.Namespace) -> int:
    """Remove what the workshop made; Zellij's build is kept, it is dear."""
    for name in ("deps", "app", "wheels", "mypy", "plugin-target"):
        shutil.rmtree(cache() / name, ignore_errors=True)
    print(f"removed the environments in {cache()}; Zellij's build in {cache() / 'zellij'} is kept")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make")
    commands = {
        "test": test,
        "lint": lint,
        "start": start,
        "bench": bench,
        "faults": faults,
        "plugin": plugin,
        "clean": clean,
    }
    parser.add_argument("command", choices=commands)
    parser.add_argument("options", nargs=argparse.REMAINDER, help="passed on to pytest or to the bench")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    try:
        return commands[arguments.command](arguments)
    except Failed as problem:
        if not problem.printed:
            print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _end(number: int, _: FrameType | None) -> None:
    """As an exception, so that children and scratch folders go too."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
