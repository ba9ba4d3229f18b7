"""Where Zellij keeps its files.

As in zellij-utils 0.45 (`home.rs`, `consts.rs`): the configuration folder is
`$ZELLIJ_CONFIG_DIR`, else `~/.config/zellij` if it exists, else the platform's own, else
`/etc/zellij`; where there is none, Zellij makes `~/.config/zellij` when it starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from zdriver.core import paths

_MACOS_NAME = "org.Zellij-Contributors.Zellij"


def config_dir(environ: Mapping[str, str] | None = None) -> Path:
    """The folder that Zellij reads its configuration from, whether it exists or not."""
    env = os.environ if environ is None else environ
    if named := env.get("ZELLIJ_CONFIG_DIR"):
        return Path(named).absolute()
    home = _home(env) / ".config" / "zellij"
    if home.exists():
        return home
    if sys.platform == "darwin":
        own = _home(env) / "Library" / "Application Support" / _MACOS_NAME
    else:
        own = _xdg(env, "XDG_CONFIG_HOME", ".config") / "zellij"
    return own if own.exists() else home


def config_file(environ: Mapping[str, str] | None = None) -> Path:
    env = os.environ if environ is None else environ
    named = env.get("ZELLIJ_CONFIG_FILE")
    return Path(named).absolute() if named else config_dir(env) / "config.kdl"


def cache_dir(environ: Mapping[str, str] | None = None) -> Path:
    env = os.environ if environ is None else environ
    if sys.platform == "darwin":
        return _home(env) / "Library" / "Caches" / _MACOS_NAME
    return _xdg(env, "XDG_CACHE_HOME", ".cache") / "zellij"


def permissions_file(environ: Mapping[str, str] | None = None) -> Path:
    """What plugins were granted; Zellij may wipe this folder."""
    return cache_dir(environ) / "permissions.kdl"


def _home(env: Mapping[str, str]) -> Path:
    return Path(env["HOME"]) if env.get("HOME") else paths.home()


def _xdg(env: Mapping[str, str], variable: str, default: str) -> Path:
    value = env.get(variable, "")
    return Path(value) if Path(value).is_absolute() else _home(env) / default
