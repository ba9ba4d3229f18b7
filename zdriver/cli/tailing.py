"""`zdriver events tail`: the event log as it grows, over restarts of the daemon.

The daemon is started once, at the beginning. One that was stopped later stays stopped: what happens
next needs a daemon, and is seen then.
"""

from __future__ import annotations

import contextlib
import select
import signal
from collections.abc import Callable, Iterator

from zdriver.cli.services import services
from zdriver.core import inotify, paths
from zdriver.core.errors import InvalidInput, Unavailable
from zdriver.library import Driver, connect
from zdriver.rpc.client import NotRunning
from zdriver.rpc.events_api import Logged

#: Seconds after which it is looked for the daemon though nothing was heard of its folder.
LOOK = 1.0
#: Times that a daemon may break off one after another: as it ends, or begins.
PATIENCE = 10


def begin(after: int | None) -> int:
    """The cursor to follow from; None: from now on. Raises InvalidInput for one that is not reached yet."""
    with services() as driver:
        newest = driver.events.newest()
    if after is not None and after > newest:
        raise InvalidInput(
            f"the last event is {newest}, before --after {after}",
            hint="was the store replaced? `zdriver events list` shows what there is",
        )
    return newest if after is None else after


def follow(cursor: int, tell: Callable[[str], None]) -> Iterator[Logged]:
    """Every event after `cursor`, in order and once. Ends never; `tell` hears what a person should know.

    Raises Unavailable when a daemon is there, and still does not answer.
    """
    failed = 0
    while True:
        try:
            with connect(start=False, client="tail") as driver:
                cursor = _reached(driver, cursor, tell)
                failed = 0
                for logged in driver.follow(cursor):
                    cursor = logged.cursor
                    yield logged
        except Unavailable as error:
            gone = isinstance(error, NotRunning)
            if not failed:
                tell(f"{error.message}; waiting for it")
            failed += 1
            if failed >= PATIENCE and not gone:
                raise
            _wait()


class WholeLines:
    """Ctrl-C comes between two lines: what was printed and how far one is say the same.

    A second one comes at once, as where nobody reads what is printed.
    """

    def __init__(self) -> None:
        self._amid = self._asked = False
        if signal.getsignal(signal.SIGINT) == signal.default_int_handler:  # ignored stays ignored
            signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, _number: int, _frame: object) -> None:
        if self._amid and not self._asked:
            self._asked = True
            return
        raise KeyboardInterrupt

    @contextlib.contextmanager
    def line(self) -> Iterator[None]:
        self._amid = True
        yield
        self._amid = False
        if self._asked:
            raise KeyboardInterrupt


def _reached(driver: Driver, cursor: int, tell: Callable[[str], None]) -> int:
    """Where to go on: a store that was damaged or replaced may have fewer events than were seen."""
    newest = driver.events.newest()
    if newest >= cursor:
        return cursor
    tell(
        f"the log ends at {newest} now, not at {cursor}: the store was replaced or recovered; going on there"
    )
    return newest


def _wait() -> None:
    """Until a daemon listens, or may."""
    socket = paths.daemon_socket()
    with contextlib.suppress(OSError), contextlib.closing(inotify.Inotify()) as folder:
        folder.add(str(socket.parent), inotify.CREATE | inotify.MOVED_TO | inotify.ONLY_FOLDERS)
        select.select([folder], [], [], LOOK)
        return
    select.select([], [], [], LOOK)
