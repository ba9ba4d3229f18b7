"""`zdriver doctor --report`: what somebody who helps has to know, and nothing that is secret."""

from __future__ import annotations

import os
import platform
import re

from zdriver.cli.checks import Check
from zdriver.core import config, paths, urls
from zdriver.core.errors import ZdriverError
from zdriver.core.redact import redact_text
from zdriver.core.runtime import home_folder

LOG_LINES = 60

_VARIABLES = (
    "LANG",
    "LC_ALL",
    "SHELL",
    "TERM",
    "XDG_RUNTIME_DIR",
    "ZELLIJ",
    "ZELLIJ_CONFIG_DIR",
    "ZELLIJ_CONFIG_FILE",
)


def report_text(checks: list[Check]) -> str:
    """Markdown to paste; home folder and user name replaced, key shapes cut out."""
    parts = [
        "## zdriver report",
        f"{platform.platform()}, Python {platform.python_version()}",
        _block("checks", "\n".join(f"{c.state:<5}{c.name}: {c.message}" for c in checks)),
        _block("settings that differ from the defaults", _settings()),
        _block("environment", "\n".join(f"{name}={_shown(name)}" for name in _names())),
        _block(f"last {LOG_LINES} lines of the log", _log()),
    ]
    return _anonymous("\n\n".join(parts))


def _names() -> list[str]:
    own = [name for name in os.environ if name.startswith(config.PREFIX)]
    return sorted({*own, *(name for name in _VARIABLES if name in os.environ)})


def _shown(variable: str) -> str:
    """A variable's value without secrets, also where its name is misspelled."""
    value = os.environ[variable]
    if variable.startswith(config.PREFIX) and "://" in value:
        return urls.shown(value)
    setting = next((name for name in config.LEAVES if config.variable_of(name) == variable), "")
    return str(config.shown(setting, value))


def _settings() -> str:
    try:
        loaded = config.load()
    except ZdriverError as error:
        return error.message
    changed = [s for s in loaded.settings if s.origin != "default"]
    return "\n".join(f"{s.name} = {s.value!r}  ({s.origin})" for s in changed)


def _log() -> str:
    try:
        lines = paths.log_file().read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"{error.strerror}"
    return "\n".join(lines[-LOG_LINES:])


def _block(title: str, text: str) -> str:
    return f"### {title}\n\n```\n{text or 'none'}\n```"


def _anonymous(text: str) -> str:
    plain, _ = redact_text(text)
    home = home_folder()
    if len(home) > 1:
        plain = plain.replace(home, "~")
    for name in {os.environ.get("USER", ""), os.environ.get("LOGNAME", ""), platform.node()}:
        if len(name) > 2:
            plain = re.sub(rf"\b{re.escape(name)}\b", "‹name›", plain)
    return plain
