"""A worker (`archive/worker.py`) and who listens to it: one process, from its order to its report."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from zdriver.archive.model import GO, Archived, Done, Failed, Meets, Order, Said
from zdriver.core.build import PACKAGE
from zdriver.core.errors import Unavailable, from_code

log = logging.getLogger(__name__)

#: Seconds that one batch may take, on a slow server and with all its indexes.
PATIENCE = 300.0
_decode = msgspec.json.Decoder(Said).decode


class Silence:
    """Ends what says nothing for too long: a server that hangs gives no error by itself."""

    def __init__(self, kill: Callable[[], None], seconds: float) -> None:
        self._kill = kill
        self._seconds = seconds
        self._timer: threading.Timer | None = None
        self.over = False

    def broken_by(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The same lines; from one to the next it must not take longer."""
        self._begin()
        for line in lines:
            self.end()
            yield line
            self._begin()

    def _begin(self) -> None:
        self._timer = threading.Timer(self._seconds, self._killed)
        self._timer.daemon = True
        self._timer.start()

    def _killed(self) -> None:
        self.over = True
        self._kill()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Worker:
    """One at a time; it ends when this process does, however that ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, order: Order, on: Callable[[Said], None], *, patience: float = PATIENCE) -> Archived:
        """Do it. `on` hears everything but the end, in this thread; what it raises ends the worker.

        patience  seconds without a word after which it counts as hung, and is killed

        Raises what the worker failed with, and Unavailable when it was killed.
        """
        process = self._start(order)
        assert process.stdin is not None
        assert process.stdout is not None
        silence = Silence(process.kill, patience)
        try:
            for line in silence.broken_by(process.stdout):
                if not line.endswith(b"\n"):
                    break  # killed in the middle of a word
                match said := _decode(line):
                    case Done(report=report):
                        return report
                    case Failed(code=code, message=message, hint=hint):
                        raise from_code(code, message, hint)
                    case Meets():
                        on(said)
                        process.stdin.write(GO.encode())
                        process.stdin.flush()
                    case _:
                        on(said)
            if silence.over:
                raise Unavailable(
                    f"archive.url: the archive does not answer: {patience:g} seconds without a word",
                    hint="nothing is lost: it goes on when that answers again",
                )
            raise Unavailable(
                f"archiving was stopped: its process ended ({process.wait()})",
                hint="do it again: it goes on from what the archive confirmed",
            )
        except BrokenPipeError:
            raise Unavailable("archiving was stopped", hint="do it again") from None
        finally:
            silence.end()
            self._end(process)

    def _start(self, order: Order) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise Unavailable("the daemon is ending", hint="do it again")
            self._process = subprocess.Popen(
                _command(order),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd="/",
            )
            return self._process

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        """It ends by itself when nobody listens any more (`worker.watch`)."""
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # what it did not read is of no use any more
                pipe.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """End the one that runs; what it had not committed is not there. None is started any more."""
        with self._lock:
            self._stopped = True
            if self._process is not None and self._process.poll() is None:
                self._process.kill()


def _command(order: Order) -> list[str]:
    main = str(Path(PACKAGE) / "archive" / "__main__.py")
    return [sys.executable, "-P", main, msgspec.json.encode(order).decode()]
