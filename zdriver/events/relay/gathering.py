"""A pika connection that hands many messages to the kernel at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pika


class Gathering(pika.SelectConnection):
    """pika makes three calls of send(2) for each message, which is half of what publishing costs.

    Should another version of pika not call `_output_marshaled_frames`, it is only slower again.
    """

    _frames: list[bytes] | None = None

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """What is sent within is sent at the end, in the same order."""
        self._frames = []
        try:
            yield
        finally:
            frames, self._frames = self._frames, None
            if frames:
                super()._output_marshaled_frames([b"".join(frames)])

    def _output_marshaled_frames(self, marshaled_frames: Sequence[bytes]) -> None:
        if self._frames is None:
            super()._output_marshaled_frames(marshaled_frames)
        else:
            self._frames += marshaled_frames
