"""A client of the daemon's socket, as somebody would write it from docs/rpc.md."""

from __future__ import annotations

import json
import socket as socket_module
import time
from pathlib import Path
from typing import Any

#: Seconds without an answer after which the connection counts as lost.
SILENCE = 20.0
#: What may be said again later, with the same request id.
_LATER = {"unavailable", "storage_full", "store_damaged"}


class Refused(Exception):
    """The daemon said no, and will say so again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class GivenUp(Exception):
    """No answer, however often it was asked: nobody knows whether it was done."""


class Client:
    """One connection, made again when it breaks; for one thread.

    socket    where the daemon listens
    patience  seconds for one call, with all its repetitions
    """

    def __init__(self, socket: Path, *, patience: float = 240.0) -> None:
        self._path, self._patience = socket, patience
        self._connected: socket_module.socket | None = None
        self._buffer = b""
        self._id = 0
        self.repeated = 0  #: calls that were made more than once

    def call(self, method: str, **params: Any) -> Any:
        """The result. Raises Refused, GivenUp. What changes something has a `request` in its params."""
        deadline, pause, problem = time.monotonic() + self._patience, 0.02, "nothing"
        for attempt in range(1_000_000):
            try:
                self.repeated += attempt == 1
                return self._exchange(method, params)
            except (OSError, EOFError) as error:
                problem = f"{type(error).__name__}: {error}"
                self.close()
            except _Later as error:
                problem = str(error)
            if time.monotonic() > deadline:
                break
            time.sleep(pause)  # between two tries, so that a daemon that is away is not asked in a loop
            pause = min(0.5, pause * 2)
        raise GivenUp(f"{method}: {problem}")

    def close(self) -> None:
        if self._connected is not None:
            self._connected.close()
        self._connected, self._buffer = None, b""

    def _exchange(self, method: str, params: dict[str, Any]) -> Any:
        if self._connected is None:
            self._connected = socket_module.socket(socket_module.AF_UNIX)
            self._connected.settimeout(SILENCE)
            self._connected.connect(str(self._path))
        self._id += 1
        asked = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self._connected.sendall(json.dumps(asked).encode() + b"\n")
        while (answer := json.loads(self._line())).get("id") != self._id:
            pass  # a notification
        if error := answer.get("error"):
            code = error.get("data", {}).get("code", "failed")
            raise _Later(error["message"]) if code in _LATER else Refused(code, error["message"])
        return answer["result"]

    def _line(self) -> bytes:
        assert self._connected is not None
        while b"\n" not in self._buffer:
            data = self._connected.recv(65_536)
            if not data:
                raise EOFError("the daemon closed the connection")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


class _Later(Exception):
    """The daemon said no, and may say yes in a moment."""
