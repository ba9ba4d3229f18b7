"""What may be wrong with `events.url`: one line that names it and the cause; and TLS, done right."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.events.publishing import EXCHANGE, Publishing, Reader, address
from zdriver.core.errors import Unavailable
from zdriver.events import rabbitmq
from zdriver.events.consuming import Consumer
from zdriver.events.relay import session
from zdriver.events.relay.publisher import RabbitMqSink
from zdriver.events.sinks import EventSink
from zdriver.testing import until
from zdriver.testing.servers import Authority, RabbitMq, Redis, scratch
from zdriver.testing.servers.process import free_port
from zdriver.testing.servers.rabbitmq import PASSWORD


def sink(url: str) -> EventSink:
    return RabbitMqSink(address(url), EXCHANGE, audit=False)


def refused(url: str) -> str:
    """The message with which connecting fails."""
    with pytest.raises(Unavailable) as caught:
        sink(url).open(lambda _why: None)
    message = caught.value.message
    assert message.startswith("events.url")
    assert "\n" not in message
    assert quote(PASSWORD, safe="") not in message + caught.value.hint
    assert PASSWORD not in message + caught.value.hint
    return message


def test_who_and_where(amqp_url: str, rabbitmq_server: RabbitMq, redis_server: Redis) -> None:
    there = f"127.0.0.1:{rabbitmq_server.port}"
    wrong = rabbitmq_server.url_of("/", password="no")
    assert refused(wrong) == f"events.url: the broker at {there} refuses user zdriver with this password"
    nowhere = rabbitmq_server.url_of("nowhere")
    assert "has no vhost nowhere that user zdriver may use" in refused(nowhere)
    assert "nothing listens at" in refused(f"amqp://127.0.0.1:{free_port()}")
    assert "there is no host" in refused("amqp://nobody.invalid")
    assert "no broker answered at" in refused(f"amqp://127.0.0.1:{redis_server.port}?connect_timeout=1")
    assert "TLS refused" in refused(amqp_url.replace("amqp://", "amqps://"))
    assert "the option colour" in refused(f"{amqp_url}?colour=red")
    assert "heartbeat is no whole number" in refused(f"{amqp_url}?heartbeat=often")


def test_a_broker_that_never_answers_a_declaration_is_given_up(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with its heartbeats, as for a quorum queue without a leader."""
    monkeypatch.setattr(session, "ANSWER", 0.5)
    monkeypatch.setattr(session, "declare", lambda *_args, **_more: None)
    tried, said = sink(amqp_url), list[str]()

    def opening() -> None:
        try:
            tried.open(lambda _why: None)
        except Unavailable as error:
            said.append(error.message)

    thread = threading.Thread(target=opening)
    thread.start()
    try:
        until(lambda: said, what="that it is given up")
    finally:
        tried.abort()
        thread.join()
    assert "no broker answered" in said[0]


def test_a_broker_that_is_too_old(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq, "OLDEST", (4, 99))
    for message in (refused(amqp_url), refused_to_read(amqp_url)):
        assert re.search(r"the broker at \S+ is RabbitMQ 3\.\S+, zdriver needs 4\.99$", message)
    assert rabbitmq.too_old("4.99.0", address(amqp_url)) is None
    assert rabbitmq.too_old("", address(amqp_url)) is None


def refused_to_read(url: str) -> str:
    with pytest.raises(Unavailable) as caught:
        reading(url).run(once=True)
    return caught.value.message


def reading(url: str) -> Consumer:
    return Consumer(address(url), "some", lambda _channel: None, lambda _batch: (), name="some")


def test_the_end_does_not_wait_for_a_broker_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        consumer = reading(f"amqp://127.0.0.1:{silent.getsockname()[1]}?connect_timeout=100")
        consumer.start()
        connection, _ = silent.accept()
        consumer.stop()
        assert consumer._thread.is_alive()  # it has seconds left to wait
        connection.close()
        consumer._thread.join(20)
        assert not consumer._thread.is_alive()


def test_an_exchange_that_is_declared_differently(publishing: Publishing) -> None:
    reader = Reader(publishing.url)
    with reader.channel() as channel:
        channel.exchange_delete(EXCHANGE)
        channel.exchange_declare(EXCHANGE, "fanout", durable=True)
    publishing.emit(3)  # nobody minds
    relay = publishing.relay()
    until(lambda: "declared differently" in relay.health().message, what="the refusal")
    until(lambda: relay.health().lag == 3, what="the lag")
    health = relay.health()
    assert health.state == "down"
    assert re.match(r"events\.url: it is declared differently on the broker: .*'type'", health.message)
    with reader.channel() as channel:
        channel.exchange_delete(EXCHANGE)
    publishing.drained()


def test_no_rights(publishing: Publishing, rabbitmq_server: RabbitMq) -> None:
    vhost = publishing.url.rpartition("/")[2]
    rights = f'rabbit_auth_backend_internal:set_permissions(<<"zdriver">>, <<"{vhost}">>, {{}}, <<"tests">>)'
    rabbitmq_server.call(rights.format('<<"">>, <<".*">>, <<".*">>'))
    assert "no rights on the broker" in refused(publishing.url)
    rabbitmq_server.call(rights.format('<<".*">>, <<".*">>, <<".*">>'))


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Iterator[RabbitMq]:
    with scratch("mqs") as folder, RabbitMq(folder, tls=authority) as server:
        yield server


def test_tls_with_a_private_authority(secured: RabbitMq, authority: Authority, tmp_path: Path) -> None:
    bare = secured.url_of("/").partition("?")[0]
    trusted = f"{bare}?cafile={quote(str(authority.file))}"
    open_ = sink(trusted)
    open_.open(lambda _why: None)
    assert open_.state().version.startswith("3.")
    open_.close()
    assert "TLS refused: the broker's certificate is not trusted" in refused(bare)
    assert "does not speak AMQP" in refused(bare.replace("amqps://", "amqp://") + "?connect_timeout=60")
    other = Authority(tmp_path, name="Another")
    assert "not trusted" in refused(f"{bare}?cafile={other.file}")
    named = refused(f"{trusted}&server_name_indication=broker.example")
    assert "not trusted" in named
    assert "Hostname mismatch" in named
    assert "cannot be read" in refused(f"{bare}?cafile={tmp_path}/none.pem")
    assert "client's certificate" in refused(f"{trusted}&certfile={other.file}")
