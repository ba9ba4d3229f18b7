"""Worktrees follow sync/ by themselves: a thread that sleeps until inotify or the store says something."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from zdriver.core.errors import ZdriverError
from zdriver.storage.port import Store
from zdriver.sync.retries import Retries
from zdriver.sync.service import SyncService
from zdriver.sync.watching import EVERYTHING, Changes, Watching

log = logging.getLogger(__name__)

#: Seconds of quiet that end a change, of a few paths and of many (a git checkout in sync/).
QUIET, QUIET_BURST = 0.002, 0.06
#: Paths that make it many.
BURST = 32
#: Seconds after which it is applied though it goes on: of few paths (a log that somebody writes) and of many.
LONGEST, LONGEST_BURST = 0.1, 5.0
#: Seconds between two looks at which worktrees there are, however much is committed.
LOOK_EVERY = 0.25


class Syncing:
    """A component. Nothing is watched, and nothing loaded for it, before there is a repository."""

    def __init__(self, service: SyncService, store: Store) -> None:
        self._service = service
        self._store = store
        self._lock = threading.Lock()
        self._watching: Watching | None = None
        self._no_watching = ""  #: why there is none
        self._wake, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._woken = False
        self._ending = False
        self._due: Changes = {}
        self._retries = Retries()
        self._trees: dict[str, dict[str, str]] = {}
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._service.dealt_with = self.follow
        self._service.unwatched = self.unwatched
        self._unsubscribe = self._store.subscribe(self._awake)
        self._thread.start()

    def stop(self) -> None:
        self._unsubscribe()
        self._ending = True
        self._awake(always=True)
        self._thread.join(30)
        if self._watching is not None:
            self._watching.close()
        os.close(self._waker)
        os.close(self._wake)

    def count(self) -> int:
        """Containers whose sync/ is watched: reasons for the daemon to stay."""
        with self._lock:
            return 0 if self._watching is None else self._watching.following()

    def unwatched(self, container: str) -> str:
        with self._lock:
            if self._watching is None:
                return self._no_watching or "the daemon does not follow it"
            return self._watching.troubles.get(container, "")

    def follow(self, container: str) -> None:
        """Watch it from now on, and bring it up to date soon."""
        with self._lock:
            known = self._watching is not None and self._watching.has(container)
            well = self._watching is not None and container not in self._watching.troubles
            if (known and well) or self._no_watching or self._ending:
                return
            self._follow(container)
            if not known:
                self._due[container] = None
        self._awake(always=True)

    # ---- the thread ---------------------------------------------------------------------

    def _follow(self, container: str) -> None:
        if self._watching is None:
            try:
                self._watching = Watching()
            except OSError as error:
                self._no_watching = f"inotify: {error.strerror}; `zdriver sync apply` does it by hand"
                return
        self._watching.follow(container)

    def _awake(self, *, always: bool = False) -> None:
        """Of any thread; at each commit, so it does next to nothing."""
        if self._woken and not always:
            return
        self._woken = True
        with suppress(OSError):  # full, or closed: it is awake
            os.write(self._waker, b"\0")

    def _run(self) -> None:
        looked = 0.0
        self._woken = True
        while not self._ending:
            try:
                now = time.monotonic()
                if self._woken and now - looked >= LOOK_EVERY:
                    looked, self._woken = now, False
                    self._look()
                self._gather()
                self._apply()
                self._wait(looked)
            except Exception:
                log.exception("following sync/")
                time.sleep(1)  # whatever it is, it must not spin

    def _wait(self, looked: float) -> None:
        with self._lock:
            if self._due or self._ending:
                return
            fd = -1 if self._watching is None else self._watching.fileno()
        ends = [] if (retry := self._retries.next()) is None else [retry]
        if self._woken:
            ends.append(looked + LOOK_EVERY)
        timeout = max(0.0, min(ends) - time.monotonic()) if ends else None
        self._poll(fd, timeout)
        for container in self._retries.due(time.monotonic()):
            with self._lock:
                if self._watching is not None:  # a disk may be mounted by now
                    self._watching.follow(container)
                self._due[container] = None

    def _poll(self, fd: int, timeout: float | None) -> bool:
        """Whether inotify has something."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if fd >= 0:
            poll.register(fd, select.POLLIN)
        ready = poll.poll(None if timeout is None else max(1, int(timeout * 1000)))
        with suppress(BlockingIOError):
            while os.read(self._wake, 4096):
                pass
        return any(number == fd for number, _ in ready)

    def _gather(self) -> None:
        """Everything that belongs to what is going on: until nothing comes for a moment."""
        with self._lock:
            watching = self._watching
        if watching is None:
            return
        begin = time.monotonic()
        while not self._ending:
            with self._lock:
                for container, paths in watching.changes().items():
                    self._add(container, paths)
                if not self._due:
                    return
                many = any(paths is None or len(paths) > BURST for paths in self._due.values())
            more = self._poll_quiet(watching.fileno(), QUIET_BURST if many else QUIET)
            if not more or time.monotonic() - begin > (LONGEST_BURST if many else LONGEST):
                return

    def _poll_quiet(self, fd: int, quiet: float) -> bool:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(quiet * 1000))

    def _add(self, container: str, paths: set[str] | None) -> None:
        known = self._due.get(container, set())
        if EVERYTHING in (known or ()) or EVERYTHING in (paths or ()):
            self._due[container] = {EVERYTHING}
        else:
            self._due[container] = None if paths is None or known is None else known | paths

    def _apply(self) -> None:
        with self._lock:
            due, self._due = self._due, {}
        for container, paths in due.items():
            try:
                self._bring(container, None if paths is None else tuple(sorted(paths)))
            except Exception:  # of one container: the others are served all the same
                log.exception("sync: %s", container)
                self._retries.failed(container, time.monotonic())

    def _bring(self, container: str, scope: tuple[str, ...] | None, only: str = "") -> None:
        try:
            done = self._service.bring(container, scope, only=only)
        except ZdriverError as error:
            log.warning("sync: %s; %s", error.message, error.hint)
            self._retries.failed(container, time.monotonic())
            return
        if done.made or done.updated or done.removed:
            log.info(
                "sync: %s: %d made, %d updated, %d removed in %d worktrees",
                container, done.made, done.updated, done.removed, len(done.worktrees),
            )  # fmt: skip
        for failure in done.failures:
            log.warning("sync: %s/%s: %s; %s", failure.worktree, failure.path, failure.reason, failure.hint)
        if done.failures:
            self._retries.failed(container, time.monotonic())
        else:
            self._retries.done(container)

    def _look(self) -> None:
        """Which repositories and worktrees there are by now: what is new, or has moved, gets its links."""
        for container, trees in self._service.trees().items():
            with self._lock:
                known = self._watching is not None and self._watching.has(container)
            before, self._trees[container] = self._trees.get(container), trees
            if not known:
                if before is None or os.path.isdir(container):  # noqa: PTH112 a path is text here
                    self.follow(container)
            elif before is not None:
                for id_, path in trees.items():
                    if before.get(id_) != path:
                        self._bring(container, None, only=id_)
