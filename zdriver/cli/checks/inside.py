"""zdriver inside Zellij: plugin, configuration, permissions, this session's bridge."""

from __future__ import annotations

import os
from collections.abc import Iterator

from zdriver.cli.checks import Check, fail, ok, warn
from zdriver.cli.output import home_relative
from zdriver.core.errors import ZdriverError
from zdriver.zellij import configfile, files, permissions, setup
from zdriver.zellij.setup import Where

SETUP = "`zdriver setup zellij` does it"


def check_zellij(at: Where) -> Iterator[Check]:
    """`fix="setup"` only where zdriver is in Zellij already: doctor mends, setup begins."""
    try:
        text = files.read_text(at.config) or ""
        found = configfile.look(text, at.wanted())
    except ZdriverError as error:
        yield fail("config.kdl", f"{home_relative(str(at.config))}: {error.message}", error.hint)
        return
    if not (found.alias or found.load):
        yield warn("config.kdl", "zdriver is not in Zellij yet", SETUP)
        return
    yield _entries(at, found)
    yield from (
        warn("keys", text, "or free the key and run `zdriver setup zellij`") for text in found.clashes
    )
    yield _plugin(at)
    yield _permissions(at)
    yield from _bridge()


def _entries(at: Where, found: configfile.Found) -> Check:
    name = home_relative(str(at.config))
    gaps = [
        words
        for missing, words in (
            (not found.load, "`load_plugins` does not name it"),
            (not found.alias, "`plugins` does not name it"),
            (found.alias and not found.current, "`plugins` names another place of it"),
            (bool(found.missing), "keys are missing: " + ", ".join(key.key for key in found.missing)),
        )
        if missing
    ]
    if gaps:
        return fail("config.kdl", f"{name}: {'; '.join(gaps)}", SETUP, fix="setup")
    return ok("config.kdl", f"{name} loads the plugin and has its keys")


def _plugin(at: Where) -> Check:
    name = home_relative(str(at.wasm))
    try:
        own = setup.plugin_bytes()
    except ZdriverError as error:
        return fail("plugin", error.message, error.hint)
    installed = files.read_bytes(at.wasm)
    if installed is None:
        return fail("plugin", f"{name} is not there", SETUP, fix="setup")
    if installed != own:
        return warn("plugin", f"{name} is another version than this zdriver's", SETUP, fix="setup")
    return ok("plugin", name)


def _permissions(at: Where) -> Check:
    granted = permissions.granted(files.read_text(at.permissions) or "", str(at.wasm))
    missing = [permission.name for permission in permissions.needed() if permission.name not in granted]
    if missing:
        return fail("permissions", f"not granted: {', '.join(missing)}", SETUP, fix="setup")
    return ok("permissions", "all granted")


def _bridge() -> Iterator[Check]:
    session = os.environ.get("ZELLIJ_SESSION_NAME", "")
    if not session:
        return
    from zdriver.library import connect

    try:
        with connect(start=False, client="doctor") as driver:
            connected = driver.call("bridge.sessions", tuple[str, ...])
    except ZdriverError as error:
        yield fail("this session", error.message, "`zdriver daemon start` starts it", fix="daemon")
        return
    if session in connected:
        yield ok("this session", f"{session}: its plugin is connected")
    else:
        yield fail("this session", f"{session}: its plugin is not connected", "close it and open it again")
