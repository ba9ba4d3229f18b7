"""Ask the daemon of a home over its socket, as any program may: one JSON-RPC line."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zdriver.testing import Home, until

Layout = dict[str, Any]


def socket_of(home: Home) -> Path | None:
    return next(Path(home.env["XDG_RUNTIME_DIR"]).glob("zdriver-*/daemon.sock"), None)


def ask(home: Home, method: str, **params: Any) -> Any:
    """The result; None while there is no daemon. An AssertionError with the error's words."""
    path = socket_of(home)
    if path is None:
        return None
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        line = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            client.connect(str(path))
            client.sendall(json.dumps(line).encode() + b"\n")
            with client.makefile("rb") as answers:
                raw = answers.readline()
        except OSError:  # there was one, and it was killed
            return None
    if not raw:
        return None
    answer = json.loads(raw)
    assert "error" not in answer, answer["error"]
    return answer["result"]


def terminals(layout: Layout) -> list[dict[str, Any]]:
    """The terminal panes of a snapshot's layout, in their order."""
    found: list[dict[str, Any]] = []

    def walk(nodes: list[dict[str, Any]]) -> None:
        for node in nodes:
            if node["type"] == "split":
                walk(node["children"])
            elif "plugin" not in node:
                found.append(node)

    for tab in layout["tabs"]:
        walk(tab.get("tiled", []))
        walk(tab.get("floating", []))
    return found


def wait_recorded(
    home: Home, session: str, wanted: Callable[[list[dict[str, Any]]], object], *, deadline: float = 30.0
) -> None:
    """Wait until the newest snapshot of a Zellij session has terminal panes like `wanted`."""
    last: list[dict[str, Any]] = []

    def there() -> bool:
        nonlocal last
        try:
            content = ask(home, "snapshot.show", zellij_session=session)
        except AssertionError:  # none yet
            return False
        last = terminals(content["layout"]) if content else []
        return bool(last) and bool(wanted(last))

    until(there, what=f"a snapshot of {session}", deadline=deadline, shows=lambda: json.dumps(last, indent=1))


def wait_connected(home: Home, session: str, *, deadline: float = 30.0) -> None:
    """Wait until the plugin of a Zellij session is connected."""

    def there() -> bool:
        return session in (ask(home, "bridge.sessions") or [])

    until(there, what=f"the plugin of {session} to be connected", deadline=deadline)


def commands(panes: list[dict[str, Any]]) -> list[list[str]]:
    """argv of each pane of a snapshot; empty for a shell."""
    return [pane.get("command", []) for pane in panes]
