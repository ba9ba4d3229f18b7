"""Events as lines of a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from zdriver import Unavailable
from zdriver.core.engines import Address
from zdriver.events.sinks import Lost, Outcome, Outgoing, SinkState


class Lines:
    """`zdriver.events.sinks.EventSink`"""

    def __init__(self, address: Address, file: Path) -> None:
        self._address = address
        self._file = file
        self._stream: IO[bytes] | None = None

    def open(self, lost: Lost) -> None:
        self.close()
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._file.open("ab")
        except OSError as error:
            raise Unavailable(
                f"{self._address.setting}: {self._file} cannot be written: {error.strerror}",
                hint="make it writable; events wait until then",
            ) from error

    def send(self, events: Sequence[Outgoing]) -> Outcome:
        assert self._stream is not None
        try:
            for event in events:
                self._stream.write(event.envelope + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())  # accepted means: there for good
        except OSError as error:
            return Outcome(broken=f"{self._address.setting}: {error.strerror}")
        return Outcome(accepted=tuple(event.sequence for event in events))

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def abort(self) -> None:
        pass  # nothing here waits for anybody

    def state(self) -> SinkState:
        return SinkState(version="1.0")
