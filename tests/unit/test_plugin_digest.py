"""The wasm that is shipped was made of the sources that are here, and names no path of a machine."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import cast

import pytest

ROOT = Path(__file__).resolve().parents[2] / "zellij-plugin"
AGAIN = "run zellij-plugin/build.sh and commit zdriver/data/zdriver.wasm"


def shipped() -> bytes:
    return files("zdriver").joinpath("data/zdriver.wasm").read_bytes()


@pytest.fixture(scope="module")
def source_digest() -> Callable[[Path], str]:
    spec = importlib.util.spec_from_file_location("source_digest", ROOT / "source_digest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Callable[[Path], str]", module.source_digest)


def test_the_wasm_is_of_these_sources(source_digest: Callable[[Path], str]) -> None:
    found = re.findall(rb"zdriver-source-digest:([0-9a-f]{64})", shipped())
    assert found == [source_digest(ROOT).encode()], AGAIN


def test_the_digest_changes_with_any_source(source_digest: Callable[[Path], str], tmp_path: Path) -> None:
    (tmp_path / "a" / "src").mkdir(parents=True)
    (tmp_path / "a" / "src" / "x.rs").write_text("one")
    (tmp_path / "Cargo.lock").write_text("two")
    first = source_digest(tmp_path)
    (tmp_path / "a" / "src" / "x.rs").write_text("onetwo")
    second = source_digest(tmp_path)
    (tmp_path / "a" / "src" / "x.rs").rename(tmp_path / "a" / "src" / "y.rs")
    third = source_digest(tmp_path)
    (tmp_path / "README.md").write_text("no source")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "z.rs").write_text("built")
    assert len({first, second, third}) == 3
    assert source_digest(tmp_path) == third


def test_the_wasm_names_no_path_of_a_machine() -> None:
    paths = re.findall(rb"/(?:home|root|Users|build)/[\x21-\x7e]+", shipped())
    assert not paths, AGAIN


def test_it_is_a_small_wasm_module() -> None:
    wasm = shipped()
    assert wasm[:4] == b"\0asm"
    assert len(wasm) < 3_000_000


def test_the_plugin_asks_for_the_permissions_that_setup_grants() -> None:
    source = (ROOT / "zdriver-plugin" / "src" / "effects.rs").read_text()
    body = source[source.index("PERMISSIONS: &") : source.index("];")]
    asked = re.findall(r'PermissionType::(\w+),\s*"([^"]+)"', body)
    listed = json.loads(files("zdriver").joinpath("data/permissions.json").read_bytes())
    assert asked == [(each["name"], each["why"]) for each in listed]
    readme = (ROOT / "README.md").read_text()
    assert all(f"| {name} | {why} |" in readme for name, why in asked)
