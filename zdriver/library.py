"""What scripts use: `zdriver.connect()`, `zdriver.open()`, `zdriver.here()`.

    import zdriver

    with zdriver.connect() as driver:
        driver.context.set_intent("Refactor database layer", place=zdriver.here())

Both give the same typed services; `connect` asks the daemon (and starts it if need be),
`open` takes the store into this process, for a machine or a test without a daemon.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self, TypeVar, get_type_hints

from zdriver.archive.api import ArchiveApi
from zdriver.claims.api import ClaimsApi
from zdriver.claims.client import Claims
from zdriver.context.api import ContextApi, RestoreApi, SnapshotApi
from zdriver.context.model import Place
from zdriver.core import caller
from zdriver.core.errors import Unavailable
from zdriver.daemon.api import DaemonApi
from zdriver.hooks.api import HooksApi
from zdriver.importing.api import ImportsApi
from zdriver.rpc.client import TIMEOUT, Connection, proxy
from zdriver.rpc.client import prepare as prepare_stubs
from zdriver.rpc.events_api import EventsApi, Logged
from zdriver.rpc.protocol import Welcome
from zdriver.sync.api import SyncApi
from zdriver.tasks.api import TasksApi
from zdriver.worktrees.api import WorktreesApi
from zdriver.worktrees.reviews_api import ReviewsApi

T = TypeVar("T")


class Driver:
    """The services. Close it, or use it as a context manager."""

    context: ContextApi
    snapshot: SnapshotApi
    restore: RestoreApi
    worktrees: WorktreesApi
    reviews: ReviewsApi
    hooks: HooksApi
    claims: Claims
    sync: SyncApi
    tasks: TasksApi
    archive: ArchiveApi
    imports: ImportsApi
    daemon: DaemonApi
    events: EventsApi

    def __init__(self, service: Callable[[str, type[Any]], Any], close: Callable[[], None]) -> None:
        self._close = close
        self.context = service("context", ContextApi)
        self.snapshot = service("snapshot", SnapshotApi)
        self.restore = service("restore", RestoreApi)
        self.worktrees = service("worktrees", WorktreesApi)
        self.reviews = service("reviews", ReviewsApi)
        self.hooks = service("hooks", HooksApi)
        self.claims = self._claims(service("claims", ClaimsApi))
        self.sync = service("sync", SyncApi)
        self.tasks = service("tasks", TasksApi)
        self.archive = service("archive", ArchiveApi)
        self.imports = service("imports", ImportsApi)
        self.daemon = service("daemon", DaemonApi)
        self.events = service("events", EventsApi)

    def _claims(self, api: ClaimsApi) -> Claims:
        return Claims(api, lambda: nullcontext(api))

    def call(self, method: str, result: type[T], **params: Any) -> T:
        """A method by its name, for those that have no Api class. Raises what the method raises."""
        return self._call(method, result, params)

    def _call(self, method: str, result: type[T], params: dict[str, Any]) -> T:
        raise Unavailable(f"{method} needs the daemon", hint="use zdriver.connect()")

    def follow(self, after: int | None = None) -> Generator[Logged, None, None]:
        """Every event from now on (or after that cursor) as it happens, each once and in order.

        It goes on over restarts of the daemon, until it is closed. Raises Unavailable when that cannot
        be reached.
        """
        raise Unavailable("following events needs the daemon", hint="use zdriver.connect()")

    def notices(self) -> tuple[str, ...]:
        """What the daemon wants a person to hear, after the first call."""
        return ()

    def close(self) -> None:
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Connected(Driver):
    """Over the daemon's socket. One call at a time; threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        super().__init__(self._proxy, connection.close)

    def notices(self) -> tuple[str, ...]:
        return self.connection.notices

    def _proxy(self, service: str, api: type[Any]) -> Any:
        return proxy(self.connection, service, api)

    def _claims(self, api: ClaimsApi) -> Claims:
        @contextmanager
        def another() -> Iterator[ClaimsApi]:
            with self.connection.another() as connection:
                yield proxy(connection, "claims", ClaimsApi)

        # A call that waits has to be answered well before it counts as not answered.
        return Claims(api, another, patience=self.connection.timeout / 2)

    def _call(self, method: str, result: type[T], params: dict[str, Any]) -> T:
        import msgspec

        return msgspec.json.decode(self.connection.call(method, params), type=result)

    def follow(self, after: int | None = None) -> Generator[Logged, None, None]:
        from zdriver.rpc.following import follow

        return follow(self.connection.another(), after)


def prepare() -> None:
    """Load what commands use: for the fork server, whose children find it there."""
    import zdriver.daemon.starting  # noqa: F401 loaded is enough

    for service, api in get_type_hints(Driver).items():
        prepare_stubs(service, ClaimsApi if api is Claims else api)


def greet(timeout: float) -> Welcome:
    """What every connection begins with, and nothing else, with the daemon that runs. Raises Unavailable."""
    from zdriver.daemon.starting import find

    connection = Connection(find, timeout=timeout, client="spare")
    try:
        return connection.welcome
    finally:
        connection.close()


def connect(*, start: bool = True, timeout: float = TIMEOUT, client: str = "python") -> Driver:
    """The daemon's services. Nothing is sent, and no daemon started, before the first call.

    start    start the daemon when it is not running; else calls raise Unavailable
    timeout  seconds per call
    """
    from zdriver.daemon.starting import ensure, find

    return Connected(Connection(find, start=ensure if start else None, timeout=timeout, client=client))


def open() -> Driver:
    """The same services in this process, which owns the store until `close`.

    Raises StoreInUse while a daemon (or another process) has it: use `connect` then.
    """
    from zdriver.daemon.wiring import assemble

    assembly = assemble()
    try:
        assembly.start()
    except BaseException:
        assembly.close()
        raise

    def service(name: str, _api: type[Any]) -> Any:
        return assembly.services[name][1] if name in assembly.services else _Missing(name)

    return Driver(service, assembly.stop)


class _Missing:
    """A service that only the daemon has."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        raise Unavailable(f"{self._name}.{method} needs the daemon", hint="use zdriver.connect()")


def here() -> Place:
    """Where this process is: its folder and, inside Zellij, the Zellij session."""
    return Place(cwd=caller.cwd(), zellij_session=os.environ.get("ZELLIJ_SESSION_NAME", ""))
