"""A client of the daemon's socket, and proxies of its services typed as their Api classes.

A call that was cut off is made again on a new connection (starting the daemon if need be):
reads may be repeated, and what changes something carries a `request` id, with which the
daemon gives the first answer again instead of doing it twice.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, get_type_hints

import msgspec

from zdriver.core import caller, platform
from zdriver.core.build import build_id
from zdriver.core.errors import Unavailable
from zdriver.core.ids import new_id
from zdriver.rpc.framing import Framing
from zdriver.rpc.methods import declared_by, parameters
from zdriver.rpc.protocol import PROTOCOL, Response, Welcome, as_error, request_line

#: Seconds to wait for an answer.
TIMEOUT = 30.0
#: Times a call is made before its caller hears of a broken connection.
ATTEMPTS = 3

_decode_response = msgspec.json.Decoder(Response).decode
_decode_welcome = msgspec.json.Decoder(Welcome).decode


class NotRunning(Unavailable):
    """Nobody listens there, and no daemon may be started."""


class Connection:
    """One socket, used by one thread at a time; it connects when it is first needed.

    path     of the socket, asked again for every connect
    start    makes a daemon listen there; None: a missing daemon is an error
    timeout  seconds per call
    """

    def __init__(
        self,
        path: Callable[[], Path],
        *,
        start: Callable[[], None] | None = None,
        timeout: float = TIMEOUT,
        client: str = "python",
    ) -> None:
        self.timeout = timeout
        self._path = path
        self._start = start
        self._client = client
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._framing = Framing()
        self._lines: list[bytes] = []
        self._next_id = 0
        self._owner = os.getpid()
        self._closed = False
        self._welcome: Welcome | None = None

    @property
    def welcome(self) -> Welcome:
        """What the daemon said of itself. Raises Unavailable."""
        with self._lock:
            self._connected()
            assert self._welcome is not None
            return self._welcome

    @property
    def notices(self) -> tuple[str, ...]:
        """What the daemon wants a person to hear; () before anything was asked."""
        return self._welcome.notices if self._welcome is not None else ()

    def call(self, method: str, params: dict[str, Any]) -> msgspec.Raw:
        """The encoded result. Raises the daemon's error, or Unavailable."""
        with self._lock:
            for left in reversed(range(ATTEMPTS)):
                try:
                    self._connected()
                    return self._exchange(method, params)
                except (ConnectionError, EOFError) as error:
                    self._disconnect()
                    if not left:
                        raise Unavailable(
                            "the daemon closed the connection", hint="try again; `zdriver daemon status`"
                        ) from error
                except BaseException as error:
                    # An answer that comes later must not be taken for another call's.
                    if not isinstance(error, _Answered):
                        self._disconnect()
                        raise
                    raise error.error from None
        raise AssertionError("unreachable")

    def another(self) -> Connection:
        """A second connection to the same place."""
        return Connection(self._path, start=self._start, timeout=self.timeout, client=self._client)

    def next_notification(self, timeout: float | None = None) -> Response | None:
        """The next notification; None after `timeout` seconds. Raises ConnectionError, EOFError."""
        with self._lock:
            sock = self._connected()
            sock.settimeout(timeout)
            try:
                while True:
                    response = _decode_response(self._read_line(sock))
                    if response.method:
                        return response
            except TimeoutError:
                return None
            finally:
                sock.setblocking(True)

    def reset(self) -> None:
        """The next call connects anew."""
        with self._lock:
            self._disconnect()

    def close(self) -> None:
        """For good: a call after it raises Unavailable."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connected(self) -> socket.socket:
        if self._closed:
            raise Unavailable("this connection was closed", hint="connect again: zdriver.connect()")
        if self._owner != os.getpid():  # a fork shares the socket, and would mix the answers
            self._owner = os.getpid()
            self._disconnect()
        if self._sock is None:
            self._sock = self._open()
            try:
                params = {"protocol": PROTOCOL, "client": self._client, "pid": os.getpid()}
                self._welcome = _decode_welcome(self._exchange("hello", {**params, "build": own_build()}))
            except _Answered as refused:
                self._disconnect()
                raise refused.error from None
            except BaseException:
                self._disconnect()
                raise
        return self._sock

    def _open(self) -> socket.socket:
        try:
            return self._dial()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            if self._start is None:
                raise NotRunning(
                    "the zdriver daemon is not running", hint="start it with `zdriver daemon start`"
                ) from error
        self._start()
        try:
            return self._dial()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ConnectionAbortedError("the daemon went away") from error

    def _dial(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            deadline = time.monotonic() + self.timeout
            while True:
                try:
                    sock.connect(os.fspath(self._path()))
                    break
                except BlockingIOError as error:  # the queue is full, and cannot be waited for
                    if time.monotonic() > deadline:
                        raise self._no_answer() from error
                    time.sleep(0.01)
            if (uid := platform.peer(sock).uid) != os.getuid():
                raise Unavailable(
                    f"the socket {self._path()} belongs to user {uid}",
                    hint="remove it, or set XDG_RUNTIME_DIR to a folder that only you can write",
                )
            # The kernel watches the time: Python's own timeout would poll before each send and receive.
            sock.setblocking(True)
            limit = struct.pack("ll", int(self.timeout), int(self.timeout % 1 * 1_000_000))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        except BaseException:
            sock.close()
            raise
        return sock

    def _exchange(self, method: str, params: dict[str, Any]) -> msgspec.Raw:
        sock = self._sock
        assert sock is not None
        self._next_id = id_ = self._next_id + 1
        line = request_line(method, params, id_)
        deadline = time.monotonic() + self.timeout
        try:
            sock.sendall(line)
            while True:
                response = _decode_response(self._read_line(sock))
                if response.method or (response.id is not None and response.id != id_):
                    if time.monotonic() > deadline:
                        raise TimeoutError
                    continue
                if response.error is not None:
                    raise _Answered(as_error(response.error))
                return response.result
        except (TimeoutError, BlockingIOError) as error:
            raise self._no_answer() from error

    def _no_answer(self) -> Unavailable:
        return Unavailable(
            f"the daemon did not answer within {self.timeout:g} s",
            hint="look at `zdriver daemon status`; `zdriver daemon stop` ends it",
        )

    def _read_line(self, sock: socket.socket) -> bytes:
        while not self._lines:
            data = sock.recv(1 << 16)
            if not data:
                raise EOFError("the daemon closed the connection")
            self._lines = self._framing.feed(data)
            self._lines.reverse()
        return self._lines.pop()

    def _disconnect(self) -> None:
        sock, self._sock = self._sock, None
        self._framing, self._lines = Framing(), []
        if sock is not None:
            sock.close()


class _Answered(Exception):
    """The daemon answered with an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def proxy(connection: Connection, service: str, api: type[Any]) -> Any:
    """An object whose methods are those of `api`, called over `connection`; annotate it as one."""
    return _Proxy(connection, service, api)


class _Proxy:
    """Makes each method when it is first asked for: a command needs one or two of them."""

    def __init__(self, connection: Connection, service: str, api: type) -> None:
        self._connection = connection
        self._service = service
        self._api = api

    def __repr__(self) -> str:
        return f"<zdriver {self._service} over a socket>"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        declared = None if name.startswith("_") else declared_by(self._api).get(name)
        if declared is None:
            raise AttributeError(f"{self._service} has no method {name!r}")
        method = _bind(self._connection, _stub(f"{self._service}.{name}", declared))
        setattr(self, name, method)
        return method


def prepare(service: str, api: type) -> None:
    """Do now what the first call of each method would have to: for a process that forks others."""
    own_build()
    for name, declared in declared_by(api).items():
        _stub(f"{service}.{name}", declared)


@cache
def own_build() -> str:
    """Of the code that this process has loaded."""
    return build_id()


class _Stub(NamedTuple):
    """What is known of a method before it is called."""

    method: str
    positional: tuple[str, ...]
    known: frozenset[str]
    required: frozenset[str]
    filled_in: tuple[tuple[str, Callable[[], Any]], ...]
    decode: Callable[[msgspec.Raw], Any]
    declared: Callable[..., Any]


@cache
def _stub(method: str, declared: Callable[..., Any]) -> _Stub:
    code = declared.__code__
    known = parameters(declared)
    return _Stub(
        method=method,
        positional=code.co_varnames[1 : code.co_argcount],
        known=frozenset(known),
        required=frozenset(key for key, value in known.items() if len(value) == 1),
        filled_in=tuple((name, fill) for name, fill in _FILLED_IN.items() if name in known),
        decode=msgspec.json.Decoder(get_type_hints(declared)["return"]).decode,
        declared=declared,
    )


def _bind(connection: Connection, stub: _Stub) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        answer = connection.call(stub.method, _arguments(stub, args, kwargs))
        try:
            return stub.decode(answer)
        except msgspec.ValidationError as error:
            raise Unavailable(
                f"the daemon's answer to {stub.method} is not understood: {error}",
                hint="the daemon is of another version: `zdriver daemon stop`, then try again",
            ) from error

    call.__name__ = call.__qualname__ = stub.method
    call.__doc__ = stub.declared.__doc__
    return call


def _arguments(stub: _Stub, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """By name, as Python would bind them; what the caller left out of `_FILLED_IN` is added."""
    if len(args) > len(stub.positional):
        raise TypeError(f"{stub.method}() takes {len(stub.positional)} positional arguments")
    given = dict(zip(stub.positional, args, strict=False))
    if twice := given.keys() & kwargs.keys():
        raise TypeError(f"{stub.method}() got several values for {sorted(twice)}")
    given |= kwargs
    if strange := given.keys() - stub.known:
        raise TypeError(f"{stub.method}() has no parameters {sorted(strange)}")
    if missing := stub.required - given.keys():
        raise TypeError(f"{stub.method}() needs {sorted(missing)}")
    for name, fill in stub.filled_in:
        if not given.get(name):
            given[name] = fill()
    return given


#: What a service in another process cannot know of its caller.
_FILLED_IN: dict[str, Callable[[], Any]] = {
    "request": new_id,
    "cwd": caller.cwd,
    "agent": caller.agent,
    "env": caller.environment,
}
