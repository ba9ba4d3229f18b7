"""The socket's server: a thread per connection, so that services are plain functions.

Only the same user's processes are let in. A connection can harm nobody but itself: its
messages are limited, what it leaves unread blocks its own thread, and after
`SEND_TIMEOUT` seconds it is closed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Protocol

from zdriver.core import platform
from zdriver.core.errors import Conflict, Unavailable, ZdriverError
from zdriver.rpc.framing import Framing, MessageTooLong
from zdriver.rpc.methods import MethodTable
from zdriver.rpc.protocol import error_line

log = logging.getLogger(__name__)

#: Seconds a peer may leave our answer unread.
SEND_TIMEOUT = 30
#: Connections at once; more are told so and closed.
CONNECTIONS_MAX = 1024
#: Bytes that unfinished messages of all connections may hold together.
PARTIAL_MAX = 128 << 20
#: A smaller unfinished message is not counted: the common case takes no lock.
PARTIAL_SMALL = 256 << 10
#: Bytes of stack per thread: services are shallow, and 500 idle clients must cost little.
STACK = 512 << 10
_RECEIVE = 1 << 16


class Closing(Protocol):
    """What a connection has, and ends with it."""

    def close(self) -> None: ...


class Connection:
    """One client. `send` may be called by any thread."""

    def __init__(self, server: Server, sock: socket.socket, peer: platform.Peer) -> None:
        self.peer = peer
        self.client = ""  #: what it called itself in `hello`
        self._server = server
        self._sock = sock
        self._sending = threading.Lock()
        self._closing: list[Closing] = []
        self._then: list[Callable[[], None]] = []
        self._closed = False
        self._counted = 0

    @property
    def closed(self) -> bool:
        return self._closed

    def fileno(self) -> int:
        """For who answers late, to see whether the peer is still there. Not to be read from."""
        return self._sock.fileno()

    def send(self, line: bytes) -> None:
        """Raises OSError when the peer is gone or has not read for `SEND_TIMEOUT` seconds."""
        with self._sending:
            self._sock.sendall(line)

    def on_close(self, thing: Closing, *, most: int) -> None:
        """Close `thing` when this connection ends. Raises Conflict beyond `most` things."""
        if len(self._closing) >= most:
            thing.close()
            raise Conflict(f"more than {most} subscriptions on one connection", hint="open another one")
        self._closing.append(thing)

    def then(self, do: Callable[[], None]) -> None:
        """Do this once the present request has been answered."""
        self._then.append(do)

    def run(self) -> None:
        """Serve until the peer closes, the server drains, or the stream cannot be read on."""
        try:
            self._serve()
        except OSError:
            pass  # the peer is gone, or did not read
        finally:
            self._end()

    def _serve(self) -> None:
        framing = Framing()
        answer = self._server.table.answer
        receive = self._sock.recv
        while data := receive(_RECEIVE):
            try:
                messages = framing.feed(data)
            except MessageTooLong as error:
                self.send(error_line(None, error))
                break
            for message in messages:
                if reply := answer(message, self):
                    self.send(reply)
                while self._then:
                    self._then.pop(0)()
            if not self._afford(framing.pending):
                busy = Unavailable("too many unfinished messages", hint="send whole lines, or try later")
                self.send(error_line(None, busy))
                break

    def drain(self) -> None:
        """Answer what has arrived, then end."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)

    def abort(self) -> None:
        """End now, also when a thread is blocked in sending."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _afford(self, pending: int) -> bool:
        if pending < PARTIAL_SMALL and not self._counted:
            return True
        fits = self._server.count_partial(pending - self._counted)
        self._counted = pending
        return fits

    def _end(self) -> None:
        self._closed = True
        self._server.count_partial(-self._counted)
        self.abort()  # whoever else is sending on it
        for thing in self._closing:
            try:
                thing.close()
            except Exception:
                log.exception("closing what belongs to a connection")
        with contextlib.suppress(OSError):
            self._sock.close()
        self._server.forget(self)


class Server:
    """Accepts on a listening socket from `start()` until `stop()`."""

    def __init__(self, listener: socket.socket, table: MethodTable) -> None:
        self.table = table
        self._listener = listener
        self._lock = threading.Lock()
        self._gone = threading.Condition(self._lock)
        self._connections: set[Connection] = set()
        self._partial = 0
        self._last_left = time.monotonic()
        self._wake, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._accept_all, name="accept", daemon=True)

    def start(self) -> None:
        threading.stack_size(STACK)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Accept nobody any more, answer what has arrived, close. At most `timeout` seconds."""
        self._end.close()
        if self._thread.is_alive():
            self._thread.join()
        with self._gone:
            for connection in self._connections:
                connection.drain()
            finished = self._gone.wait_for(lambda: not self._connections, timeout)
            left = list(self._connections)
        if not finished:
            log.warning("%d connections did not finish in %g s", len(left), timeout)
        for connection in left:
            connection.abort()

    def replace_listener(self, listener: socket.socket) -> None:
        """Go on with another listening socket: the old one's name was removed."""
        self._listener = listener
        self._end.send(b"\0")

    @property
    def connections(self) -> int:
        return len(self._connections)

    def idle_seconds(self) -> float:
        """How long nobody has been connected; 0 while somebody is."""
        with self._lock:
            return 0.0 if self._connections else time.monotonic() - self._last_left

    def forget(self, connection: Connection) -> None:
        with self._gone:
            self._connections.discard(connection)
            self._last_left = time.monotonic()
            if not self._connections:
                self._gone.notify_all()

    def count_partial(self, more: int) -> bool:
        """Whether all unfinished messages together still fit. Counts in any case."""
        if not more:
            return True
        with self._lock:
            self._partial += more
            return self._partial <= PARTIAL_MAX or more < 0

    def _accept_all(self) -> None:
        while True:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            poll.register(self._listener, select.POLLIN)
            for fd, _ in poll.poll():
                if fd != self._wake.fileno():
                    self._accept()
                elif not self._wake.recv(64):
                    self._wake.close()
                    return

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # Out of descriptors: the queue waits until somebody leaves.
            log.warning("cannot accept: %s", error)
            time.sleep(0.1)
            return
        try:
            self._admit(sock)
        except (OSError, RuntimeError, ZdriverError) as error:
            log.warning("a connection was refused: %s", error)
            with contextlib.suppress(OSError):
                sock.setblocking(False)
                if isinstance(error, ZdriverError):
                    sock.send(error_line(None, error))
            sock.close()

    def _admit(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        peer = platform.peer(sock)
        if peer.uid != os.getuid():
            raise Unavailable(f"user {peer.uid} may not use the daemon of user {os.getuid()}")
        if len(self._connections) >= CONNECTIONS_MAX:
            raise Unavailable(f"more than {CONNECTIONS_MAX} clients", hint="close some, then try again")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT, 0))
        connection = Connection(self, sock, peer)
        with self._lock:
            self._connections.add(connection)
        try:
            threading.Thread(target=connection.run, name=f"client {peer.pid}", daemon=True).start()
        except RuntimeError:
            self.forget(connection)
            raise
