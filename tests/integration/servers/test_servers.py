"""Each server: it answers at its URL, keeps what it confirmed over SIGKILL, hangs when suspended."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pika
import psycopg
import pytest
import redis

from zdriver.testing.servers import Authority, PostgreSql, RabbitMq, Redis, ServerFailed, scratch
from zdriver.testing.servers.process import free_port


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch("own") as made:
        yield made


def test_no_port_is_given_twice_though_nobody_listens_on_it_yet() -> None:
    # drawn by chance from 9,760: with repetitions this would hold once in a hundred million runs
    assert len({free_port() for _ in range(600)}) == 600


# -- Redis ---------------------------------------------------------------------------------------


def test_redis_keeps_what_it_confirmed_over_sigkill(folder: Path) -> None:
    with Redis(folder) as server, redis.Redis.from_url(server.url) as client:
        client.set("a", "1")
        server.kill()
        server.start()
        assert client.get("a") == b"1"


def test_redis_without_aof_loses_all_over_sigkill(folder: Path) -> None:
    with Redis(folder, aof=False) as server, redis.Redis.from_url(server.url) as client:
        client.set("a", "1")
        server.kill()
        server.start()
        assert client.get("a") is None


def test_redis_on_its_socket_and_with_a_password(folder: Path) -> None:
    with Redis(folder, password="p@ss/word") as server:
        with redis.Redis.from_url(server.unix_url) as client:
            assert client.ping()
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()
        with (
            redis.Redis(port=server.port) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


def test_redis_over_tls_is_trusted_by_the_authority_only(folder: Path, authority: Authority) -> None:
    other = Authority(folder / "other")
    with Redis(folder / "redis", tls=authority) as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()
        with (
            redis.Redis(port=server.port, ssl=True, ssl_ca_certs=str(other.file)) as doubting,
            pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            doubting.ping()


def test_a_suspended_server_says_nothing(folder: Path) -> None:
    with Redis(folder) as server:
        server.suspend()
        with (
            redis.Redis.from_url(server.url, socket_timeout=0.2) as hasty,
            pytest.raises(redis.TimeoutError),
        ):
            hasty.ping()
        server.resume()
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()


# -- PostgreSQL ------------------------------------------------------------------------------------


def test_postgresql_keeps_what_it_committed_over_sigkill(folder: Path) -> None:
    with PostgreSql(folder) as server:
        url = server.database("one")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE t (n int)")
            connection.execute("INSERT INTO t VALUES (1)")
            connection.commit()
            connection.execute("INSERT INTO t VALUES (2)")
            server.kill()
            with pytest.raises(psycopg.OperationalError):
                connection.commit()
        server.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT n FROM t").fetchall() == [(1,)]


def test_postgresql_asks_for_the_password_and_its_user_is_no_superuser(
    postgres_server: PostgreSql, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        asked = connection.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert asked.fetchall() == [("zdriver", False)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.url_of("postgres", password="wrong"))


def test_a_database_is_empty_and_one_may_be_the_template_of_another(postgres_server: PostgreSql) -> None:
    with psycopg.connect(postgres_server.database("pattern")) as connection:
        connection.execute("CREATE TABLE t (n int)")
    with psycopg.connect(postgres_server.database("copy", template="pattern")) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
    with psycopg.connect(postgres_server.database("copy")) as connection:
        assert connection.execute("SELECT to_regclass('t')").fetchall() == [(None,)]


def test_postgresql_suspended_stops_its_connections_too(folder: Path) -> None:
    with (
        PostgreSql(folder) as server,
        psycopg.connect(server.url, autocommit=True) as connection,
        ThreadPoolExecutor() as pool,
    ):
        server.suspend()
        asked = pool.submit(connection.execute, "SELECT 1")
        with pytest.raises(TimeoutError):
            asked.result(timeout=0.3)
        server.resume()
        assert asked.result(timeout=60).fetchall() == [(1,)]


def test_postgresql_over_tls_takes_nothing_else(folder: Path, authority: Authority) -> None:
    with PostgreSql(folder, tls=authority) as server:
        with psycopg.connect(server.url) as connection:
            assert connection.pgconn.ssl_in_use
        with pytest.raises(psycopg.OperationalError, match="no encryption"):
            psycopg.connect(server.url.replace("verify-full", "disable"))
        other = Authority(folder / "other")
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            psycopg.connect(server.url.replace(str(authority.file), str(other.file)))


# -- RabbitMQ ----------------------------------------------------------------------------------------


def test_rabbitmq_vhosts_are_apart(rabbitmq_server: RabbitMq, amqp_url: str) -> None:
    other = rabbitmq_server.vhost("apart")
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        channel = connection.channel()
        channel.queue_declare("q", durable=True)
        channel.confirm_delivery()
        channel.basic_publish("", "q", b"one")
        assert channel.queue_declare("q", passive=True).method.message_count == 1
    with pika.BlockingConnection(pika.URLParameters(other)) as connection:
        channel = connection.channel()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="no queue"):
            channel.queue_declare("q", passive=True)
    # a fresh one has nothing of the old one with its name
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_server.vhost("apart"))) as connection:
        connection.channel()


def test_rabbitmq_refuses_a_wrong_password(rabbitmq_server: RabbitMq) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url_of("/", password="wrong")))


def test_the_memory_alarm_blocks_publishers(rabbitmq_server: RabbitMq, amqp_url: str) -> None:
    said: list[str] = []
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        connection.add_on_connection_blocked_callback(lambda *_: said.append("blocked"))
        connection.add_on_connection_unblocked_callback(lambda *_: said.append("unblocked"))
        rabbitmq_server.alarm(True)
        try:
            connection.channel().basic_publish("", "nowhere", b"")
            connection.process_data_events(time_limit=60)
            assert said == ["blocked"]
        finally:
            rabbitmq_server.alarm(False)
        connection.process_data_events(time_limit=60)
        assert said == ["blocked", "unblocked"]


def test_rabbitmq_keeps_what_it_confirmed_over_sigkill_and_speaks_tls(
    folder: Path, authority: Authority
) -> None:
    """One node for both: it takes seconds to start."""
    with RabbitMq(folder, tls=authority) as server:
        parameters = pika.URLParameters(server.url.partition("?")[0])
        trusting = ssl.create_default_context(cafile=str(authority.file))
        parameters.ssl_options = pika.SSLOptions(trusting, "127.0.0.1")
        with pika.BlockingConnection(parameters) as connection:
            channel = connection.channel()
            channel.queue_declare("q", durable=True)
            channel.confirm_delivery()
            persistent = pika.spec.BasicProperties(delivery_mode=2)
            for number in range(20):
                channel.basic_publish("", "q", b"%d" % number, persistent)
            server.flush()
            server.kill()
            with pytest.raises(pika.exceptions.AMQPError):
                channel.basic_publish("", "q", b"late")
        with pytest.raises(ServerFailed):
            server.call("rabbit:is_running()")
        server.start()
        with pika.BlockingConnection(parameters) as connection:
            found = [connection.channel().basic_get("q", auto_ack=True)[2] for _ in range(20)]
    assert found == [b"%d" % number for number in range(20)]
