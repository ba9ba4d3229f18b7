"""What the tests import: the built wheel under `make test`, else the checkout beside them."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import zdriver


def test_the_package_comes_from_where_it_should() -> None:
    found = Path(zdriver.__file__).resolve()
    prefix = os.environ.get("ZDRIVER_TEST_PREFIX")
    expected = Path(prefix) if prefix else Path(__file__).parents[2] / "zdriver"
    assert found.is_relative_to(expected.resolve()), f"imported {found}, expected it below {expected}"


def test_a_wheel_says_its_version() -> None:
    if os.environ.get("ZDRIVER_TEST_PREFIX"):
        assert metadata.version("zdriver") == zdriver.__version__
