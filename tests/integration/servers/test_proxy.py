"""The bad network: each thing it does, seen by a real client of a real server, and by bare sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
import redis

from zdriver.testing import until
from zdriver.testing.servers import Proxy, Redis


@pytest.fixture
def proxy(redis_url: str) -> Iterator[Proxy]:
    with Proxy(redis_url) as made:
        yield made


def test_it_forwards(proxy: Proxy) -> None:
    value = b"x" * 3_000_000
    with redis.Redis.from_url(proxy.url) as client:
        client.set("large", value)
        assert client.get("large") == value
        assert proxy.connections == 1


def test_its_url_keeps_all_but_the_port() -> None:
    proxy = Proxy("postgresql://me:a%2Fb@127.0.0.1:5432/one?sslmode=disable")
    assert proxy.url == f"postgresql://me:a%2Fb@127.0.0.1:{proxy.port}/one?sslmode=disable"


def test_a_hanging_connection_says_nothing_and_goes_on_afterwards(proxy: Proxy, redis_url: str) -> None:
    with closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=60)) as plain:
        plain.sendall(b"PING\r\n")
        assert plain.recv(64) == b"+PONG\r\n"
        proxy.hang()
        plain.settimeout(0.3)
        plain.sendall(b"INCR n\r\n")
        with pytest.raises(TimeoutError):
            plain.recv(64)
        with redis.Redis.from_url(redis_url) as direct:
            assert direct.get("n") is None
        proxy.resume()
        plain.settimeout(60)
        assert plain.recv(64) == b":1\r\n"


def test_new_connections_hang_too(proxy: Proxy) -> None:
    proxy.hang()
    with (
        redis.Redis.from_url(proxy.url, socket_timeout=0.3, retry=None) as client,
        pytest.raises(redis.TimeoutError),
    ):
        client.ping()


def test_latency_is_added_each_way(proxy: Proxy) -> None:
    proxy.latency(60)
    with closing(socket.create_connection(("127.0.0.1", proxy.port))) as plain:
        begun = time.monotonic()
        plain.sendall(b"PING\r\n")
        assert plain.recv(64) == b"+PONG\r\n"
        # a lower bound is no matter of the machine's speed
        assert time.monotonic() - begun >= 0.12


def test_reset_ends_every_connection(proxy: Proxy) -> None:
    both = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(2)]
    until(lambda: proxy.connections == 2, what="both connections")
    proxy.reset()
    for plain in both:
        with closing(plain), pytest.raises(ConnectionResetError):
            plain.recv(1)
    until(lambda: proxy.connections == 0, what="both connections' end")


def to_the_end(plain: socket.socket) -> bytes:
    received = b""
    while more := plain.recv(64):
        received += more
    return received


def test_cut_after_so_many_bytes(proxy: Proxy, redis_url: str) -> None:
    with closing(socket.create_connection(("127.0.0.1", proxy.port))) as plain:
        proxy.cut_after(len(b"INCR n\r\nINC"))
        plain.sendall(b"INCR n\r\nINCR n\r\n")
        with pytest.raises(ConnectionResetError):
            to_the_end(plain)
    with redis.Redis.from_url(redis_url) as direct:
        until(lambda: direct.get("n") == b"1", what="what the server got of it")


def test_a_commit_whose_answer_is_lost_is_there(database_url: str) -> None:
    with Proxy(database_url) as proxy, psycopg.connect(proxy.url) as connection:
        connection.execute("CREATE TABLE t (n int)")
        connection.commit()
        connection.execute("INSERT INTO t VALUES (1)")
        proxy.lose_answer(b"COMMIT")
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
        assert proxy.armed == 0
        with psycopg.connect(database_url) as other:
            until(lambda: other.execute("SELECT n FROM t").fetchall() == [(1,)], what="the committed row")


def test_without_a_server_behind_it_connections_are_reset() -> None:
    with Proxy("redis://127.0.0.1:1/0") as proxy, closing(socket.socket()) as plain:
        plain.connect(("127.0.0.1", proxy.port))
        with pytest.raises(ConnectionResetError):
            plain.recv(1)


def test_many_clients_at_once(proxy: Proxy, redis_server: Redis) -> None:
    def work(_: int) -> None:
        with redis.Redis.from_url(proxy.url) as one:
            for _ in range(50):
                one.incr("n")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    with redis.Redis.from_url(redis_server.url) as direct:
        assert direct.get("n") == b"400"
