"""Fixtures with real servers: started when a test first asks for one, ended with the run.

`redis_server`, `postgres_server`, `rabbitmq_server` are shared by the whole run, so no test kills them: one
that does starts its own (`zdriver.testing.servers`). `database_url`, `redis_url` and `amqp_url` are a
test's own: a fresh database, a flushed Redis, a fresh virtual host. A program that is missing fails the
test, and says what to install.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
import redis

from zdriver.testing.servers import Authority, PostgreSql, RabbitMq, Redis, scratch

_numbers = count(1)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    # As below: no answer waits for the disk.
    with scratch("redis") as folder, Redis(folder, aof=False) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgreSql]:
    # The run's shared one is not killed, and the machine does not lose its power: no fsync.
    options = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}
    # Its autovacuum is a transaction of somebody else's that comes once a minute: until it ends, new events
    # cannot be read, and no dead row of that database can be removed.
    options["autovacuum"] = "off"
    with scratch("pg") as folder, PostgreSql(folder, options=options) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMq]:
    with scratch("mq") as folder, RabbitMq(folder) as server:
        yield server


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    """A private CA; pass it to a server as `tls`."""
    with scratch("ca") as folder:
        yield Authority(folder)


@pytest.fixture
def database_url(postgres_server: PostgreSql) -> Iterator[str]:
    """An empty database that its user owns."""
    name = f"test_{next(_numbers)}"
    yield postgres_server.database(name)
    postgres_server.drop(name)


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """An empty Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def amqp_url(rabbitmq_server: RabbitMq) -> Iterator[str]:
    """A virtual host without exchanges or queues of ours."""
    name = f"test-{next(_numbers)}"
    yield rabbitmq_server.vhost(name)
    rabbitmq_server.delete_vhost(name)
