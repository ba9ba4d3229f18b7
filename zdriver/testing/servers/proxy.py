"""A bad network between a client and a server: it hangs, dawdles, resets, on request.

It copies bytes and knows no protocol. The copying is done by one thread; everything may be called from
any other, and has happened when the call returns.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

from zdriver.testing.servers.process import free_port

T = TypeVar("T")

_CHUNK = 65_536
#: closing with this sends RST instead of FIN (socket(7), SO_LINGER)
_AT_ONCE = struct.pack("ii", 1, 0)


class _Link:
    """One connection: the client's half and the server's."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.answering = True  #: whether what the server says still reaches the client

    def reset(self) -> None:
        for half in (self.client, self.server):
            _reset(half)

    def lose_answers(self) -> None:
        """The client sees a reset; the server gets, and acts on, all that was sent to it."""
        self.answering = False
        _reset(self.client)


def _reset(half: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # it may be closed already
        half.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    half.transport.abort()


class Proxy:
    """In front of the server that `target` names; `url` is the same URL with the proxy's port.

    target  a URL with host and port: "postgresql://user:secret@127.0.0.1:5432/one"
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        if parts.hostname is None or parts.port is None:
            raise ValueError("a proxy needs a URL with host and port")
        self._host, self._to = parts.hostname, parts.port
        self.port = free_port()
        login, at, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{login}{at}127.0.0.1:{self.port}").geturl()
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._delay = 0.0  #: seconds, each way
        self._left: int | None = None  #: bytes to the server until the cut
        self._trigger, self._times = b"", 0
        self._flowing = asyncio.Event()
        self._flowing.set()

    # -- what the network does -------------------------------------------------------------------

    def hang(self) -> None:
        """Forward nothing more, either way; connections stay open and new ones are taken."""
        self._do(self._flowing.clear)

    def resume(self) -> None:
        """Forward again, beginning with what was held back."""
        self._do(self._flowing.set)

    def latency(self, milliseconds: float) -> None:
        """From now on every byte takes so long, each way; 0: none."""
        self._do(lambda: setattr(self, "_delay", milliseconds / 1000))

    def reset(self) -> None:
        """Every connection ends at once, with RST, on both sides."""
        self._do(self._reset_all)

    def _reset_all(self) -> None:
        for link in self._links:
            link.reset()

    def cut_after(self, count: int) -> None:
        """Once, `count` more bytes (of all connections together) reach the server, which then sees the end
        of the connection; the client sees a reset, and may have an answer to them before, or not."""
        self._do(lambda: setattr(self, "_left", count))

    def lose_answer(self, text: bytes, times: int = 1) -> None:
        """What next sends `text` gets its connection reset; the server has received it, and acts on it.

        With `COMMIT` this is a commit whose outcome the client cannot know.
        """

        def arm() -> None:
            self._trigger, self._times = text, times

        self._do(arm)

    @property
    def armed(self) -> int:
        """How often `lose_answer` is still to happen."""
        return self._do(lambda: self._times)

    @property
    def connections(self) -> int:
        return self._do(lambda: len(self._links))

    # -- its life ----------------------------------------------------------------------------------

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._wait(self._listen())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)

    def stop(self) -> None:
        """Every connection ends, and nobody listens any more."""
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        self._reset_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _do(self, act: Callable[[], T]) -> T:
        async def acting() -> T:
            return act()

        return self._wait(acting())

    def _wait(self, work: Awaitable[T]) -> T:
        async def working() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(working(), self._loop).result(30)

    # -- the copying ---------------------------------------------------------------------------------

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A cancelled handler would be reported by asyncio.
        with suppress(asyncio.CancelledError):
            try:
                far, server = await asyncio.open_connection(self._host, self._to)
            except OSError:
                _reset(writer)  # as near to "connection refused" as one gets after accepting
                return
            link = _Link(writer, server)
            self._links.add(link)
            try:
                await asyncio.gather(self._copy(link, reader, server), self._copy(link, far, writer))
            finally:
                self._links.discard(link)
                for half in (writer, server):
                    half.close()

    async def _copy(self, link: _Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """One direction. What is read waits for its time in a queue, so latency costs no throughput."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)
        sending = asyncio.create_task(self._send(link, queue, sink))
        try:
            with suppress(OSError):  # a reset ends what there is to read, as an end does
                while data := await source.read(_CHUNK):
                    await queue.put((self._loop.time() + self._delay, data))
            await queue.put((self._loop.time() + self._delay, b""))
            await sending
        finally:
            sending.cancel()

    async def _send(
        self, link: _Link, queue: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):  # who is gone gets nothing more
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                await self._flowing.wait()
                if not data:
                    sink.write_eof()
                    return
                if sink is link.server:
                    await self._to_server(link, data)
                elif link.answering:
                    sink.write(data)
                    await sink.drain()

    async def _to_server(self, link: _Link, data: bytes) -> None:
        if self._left is not None:
            data, self._left = data[: self._left], self._left - len(data)
        if self._times and self._trigger in data:
            self._times -= 1
            link.lose_answers()
        link.server.write(data)
        await link.server.drain()
        if self._left is not None and self._left <= 0:
            self._left = None
            link.lose_answers()
            link.server.write_eof()  # not a reset, which may overtake what was sent
            raise ConnectionResetError  # what is read already goes nowhere
