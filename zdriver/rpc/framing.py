"""JSON lines without I/O: bytes in, messages out. Server, client and bridge only move bytes."""

from __future__ import annotations

from zdriver.core.errors import InvalidInput

#: Bytes of one message, its newline not counted.
MESSAGE_MAX = 16 << 20


class MessageTooLong(InvalidInput):
    """A peer sent more than the limit without a newline. The stream cannot be read on."""


class Framing:
    """Splits a stream at newlines. One per connection and direction."""

    __slots__ = ("_limit", "_partial")

    def __init__(self, limit: int = MESSAGE_MAX) -> None:
        self._limit = limit
        self._partial = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, without newlines; blank lines are left out.

        Raises MessageTooLong.
        """
        partial = self._partial
        end = data.rfind(b"\n")
        if end < 0:
            partial += data
            self._check(len(partial))
            return []
        if partial:
            self._check(len(partial) + data.find(b"\n"))
            whole = bytes(partial) + data[:end]
            partial.clear()
        else:
            whole = data[:end]
        partial += data[end + 1 :]
        self._check(len(partial))
        if b"\n" not in whole:
            self._check(len(whole))
            return [whole] if whole and not whole.isspace() else []
        lines = [line for line in whole.split(b"\n") if line and not line.isspace()]
        for line in lines:
            self._check(len(line))
        return lines

    @property
    def pending(self) -> int:
        """Bytes of a message whose end has not come."""
        return len(self._partial)

    def _check(self, length: int) -> None:
        if length > self._limit:
            self._partial.clear()
            raise MessageTooLong(
                f"a message is longer than {self._limit >> 20} MiB",
                hint="send less in one message",
            )
