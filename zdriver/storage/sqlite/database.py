"""The open file: the writer's connection, the readers, and opening both anew when need be."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

import apsw

from zdriver.core.clock import Clock
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.storage.port import Reading
from zdriver.storage.sqlite.connection import FileDamaged, close_quietly, translate
from zdriver.storage.sqlite.files import StoreFiles
from zdriver.storage.sqlite.readers import Drained, ReaderPool
from zdriver.storage.sqlite.requests import Requests

T = TypeVar("T")
log = logging.getLogger(__name__)

#: The log is moved into the database at this many pages of 4 KiB when nothing is written …
CHECKPOINT_PAGES = 1000
#: … and at this many even when something is: each time costs the next save some milliseconds.
CHECKPOINT_PAGES_BUSY = 4000
DRAIN_SECONDS = 10.0  #: how long opening anew waits for running reads


class Database:
    """`opener` gives a checked and migrated writing connection; `renew` calls it again, with True.

    `opened` counts the openings: who met damage says which one it was.
    """

    def __init__(
        self,
        files: StoreFiles,
        catalog: Mapping[str, str],
        opener: Callable[[bool], apsw.Connection],
        clock: Clock,
    ) -> None:
        self.files = files
        self.catalog = catalog
        self._clock = clock
        self._opener = opener
        self._swapping = threading.Lock()
        self._closed = False
        self._shut = True  #: the last opening failed; the next use tries again
        self.opened = 0
        self._start(thorough=False)

    def _start(self, *, thorough: bool) -> None:
        self.connection = self._opener(thorough)
        self.requests = Requests(self.connection)
        self.opened += 1
        self._wal_pages = 0
        self.connection.set_wal_hook(self._count_pages)
        self._identity = self.files.identity()
        self._readers = ReaderPool(self.files.database, self.catalog, self._clock)
        self._shut = False

    def _count_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def read(self, unit: Callable[[Reading], T]) -> T:
        """Raises FileDamaged and other errors of ours, and what the unit raises."""
        while True:
            readers = self._readers
            if self.files.identity() != self._identity:
                raise FileDamaged("the database file was removed or replaced")
            try:
                return readers.read(unit)
            except Drained:
                with self._swapping:  # until the new readers are there
                    if self._closed:
                        raise Unavailable("the store is closed", hint="open it again") from None
                    if self._shut:
                        raise FileDamaged("the store could not be opened again") from None
            except apsw.Error as error:
                raise translate(error) from error

    def ensure_open(self) -> None:
        """For the writer, before a batch: it is open, and nobody removed or replaced the file."""
        if self._shut:
            self.renew(FileDamaged("the store could not be opened again"))
        elif self.files.identity() != self._identity:
            self.renew(FileDamaged("the database file was removed or replaced"))

    def renew(self, reason: ZdriverError, *, seen: int | None = None) -> None:
        """For the writer: close everything and open it again, which recovers what is damaged.

        Nothing is done when it was opened anew since `seen`. Raises what the opener raises;
        the store then stays shut, and each later try begins here again.
        """
        if seen is not None and seen != self.opened:
            return
        log.error("opening the store again: %s", reason.message)
        with self._swapping:
            self._shut = True
            self._readers.drain(DRAIN_SECONDS)
            self._let_go()
            self._start(thorough=True)

    def wants_checkpoint(self) -> bool:
        return self._wal_pages >= CHECKPOINT_PAGES

    def checkpoint(self, *, idle: bool) -> None:
        """For the writer: move the log into the database when it has grown. Raises apsw.Error."""
        if self._wal_pages >= (CHECKPOINT_PAGES if idle else CHECKPOINT_PAGES_BUSY):
            self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._wal_pages = 0

    def scrub(self) -> None:
        """For the writer: nothing of what was deleted stays in index or log. Raises apsw.Error.

        Free pages were overwritten when they became free (secure_delete). FTS5 keeps deleted
        words in its segments, and some in the index of those even with its own secure-delete.
        """
        self.connection.execute("INSERT INTO search (search) VALUES ('rebuild')")
        self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._wal_pages = 0

    def close(self) -> bool:
        """False when it was closed already."""
        with self._swapping:
            if self._closed:
                return False
            self._closed = True
            self._readers.drain(DRAIN_SECONDS)
            self._let_go()
        return True

    def _let_go(self) -> None:
        try:
            self.connection.close()
        except apsw.Error:
            log.exception("closing the database failed")
            close_quietly(self.connection)
