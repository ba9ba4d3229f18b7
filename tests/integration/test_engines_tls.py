"""All three engines by TLS, with a certificate authority of one's own, as docs/engines.md says."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pika
import psycopg
import pytest
import redis
from pika.adapters.blocking_connection import BlockingChannel

from tests.integration.commands import Cli
from zdriver.testing import Home, until
from zdriver.testing.servers import Authority, PostgreSql, RabbitMq, Redis, scratch

SETTINGS = ("storage.url", "context.url", "events.url")


class Site(NamedTuple):
    """Servers that speak TLS only."""

    database: PostgreSql
    cache: Redis
    broker: RabbitMq

    def use(self, home: Home, authority: Path) -> Mapping[str, str]:
        """URLs that name the authority's certificate, put into the environment."""
        storage, cache, broker = (
            url.partition("?")[0] for url in (self.database.database("tls"), self.cache.url, self.broker.url)
        )
        urls = (
            f"{storage}?sslmode=verify-full&sslrootcert={authority}",
            f"{cache}?ssl_ca_certs={authority}",
            f"{broker}?cafile={authority}",
        )
        for setting, url in zip(SETTINGS, urls, strict=True):
            home.env[f"ZDRIVER_{setting.upper().replace('.', '_')}"] = url
        home.env["ZDRIVER_CONTEXT_TIMEOUT_MS"] = "5000"  # other tests run beside this one
        return dict(zip(SETTINGS, urls, strict=True))


@pytest.fixture(scope="module")
def site(authority: Authority) -> Iterator[Site]:
    with ExitStack() as stack:
        folders = [stack.enter_context(scratch(name)) for name in ("tls-pg", "tls-redis", "tls-mq")]
        yield Site(
            stack.enter_context(PostgreSql(folders[0], tls=authority)),
            stack.enter_context(Redis(folders[1], tls=authority)),
            stack.enter_context(RabbitMq(folders[2], tls=authority)),
        )


def engines(cli: Cli) -> dict[str, tuple[str, str]]:
    """Setting → (state, message), as the doctor finds them."""
    checks = cli("doctor", "--json")
    found = re.findall(r'\{"name":"(\w+\.url)","state":"(\w+)","message":"(.*?)"', checks.stdout)
    return {name: (state, message) for name, state, message in found}


def test_everything_goes_by_tls(home: Home, cli: Cli, site: Site, authority: Authority) -> None:
    urls = site.use(home, authority.file)
    options = pika.SSLOptions(ssl.create_default_context(cafile=str(authority.file)), "127.0.0.1")
    broker = pika.URLParameters(urls["events.url"].partition("?")[0])
    broker.ssl_options = options
    with pika.BlockingConnection(broker) as connection:
        channel = connection.channel()
        channel.exchange_declare("bloodbank.events.v1", "topic", durable=True)
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "bloodbank.events.v1", "intent.*")
        assert cli("intent", "in private").returncode == 0
        assert b'"in private"' in until(lambda: taken(channel, queue), what="the event")
    with psycopg.connect(urls["storage.url"]) as database:
        assert database.execute("SELECT text FROM entries").fetchall() == [("in private",)]
        assert database.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (
            True,
        )
    with redis.Redis.from_url(urls["context.url"]) as cache:
        (key,) = until(lambda: list(cache.scan_iter("session:*")), what="the hot copy")
        assert b"in private" in (cache.hget(key, "intent") or b"")
    assert {name: state for name, (state, _) in engines(cli).items()} == dict.fromkeys(SETTINGS, "ok")


def taken(channel: BlockingChannel, queue: str) -> bytes | None:
    _, _, body = channel.basic_get(queue, auto_ack=True)
    return body


def test_a_server_of_another_authority_is_refused_by_name(
    home: Home, cli: Cli, site: Site, tmp_path: Path
) -> None:
    site.use(home, Authority(tmp_path / "other", name="Another CA").file)
    found = engines(cli)
    for setting, says in zip(
        SETTINGS, ("certificate is not trusted", "TLS was refused", "TLS refused"), strict=True
    ):
        state, message = found[setting]
        assert state == "fail"
        assert message.startswith(f"{setting}: ")
        assert says in message
