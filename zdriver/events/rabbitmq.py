"""RabbitMQ, as everything here that talks to it needs it: parameters, names, errors in words.

pika is imported here, so this module only where `events.url` names a broker.
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pika
from msgspec import Struct
from pika import exceptions as amqp
from pika.adapters.utils import connection_workflow as workflow

from zdriver import __version__
from zdriver.core import urls
from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable

# What it says of a lost connection, over several lines and with stacks, is said by `explain` in one.
logging.getLogger("pika").setLevel(logging.CRITICAL)

#: What pika raises of a connection that did not come about, beside `AMQPError`.
WorkflowError = workflow.AMQPConnectorException

#: Quorum queues that lose nothing on the way to the dead letters came with it.
OLDEST = (3, 10)
PORTS = {"amqp": 5672, "amqps": 5671}
#: Seconds between heartbeats: a broker that is gone without a word is noticed after two or three.
HEARTBEAT = 10
#: Seconds for one connection, from TCP to the opened vhost.
CONNECT = 10.0
#: Options of a URL; those of TLS by the names of RabbitMQ's own specification, and by OpenSSL's.
_TLS_OPTIONS = ("cafile", "cacertfile", "certfile", "keyfile", "verify")
_SERVER_NAME = ("server_name_indication", "server_name")
_OPTIONS = ("heartbeat", "connect_timeout", "connection_timeout", *_TLS_OPTIONS, *_SERVER_NAME)


class Names(Struct, frozen=True):
    """What zdriver declares on a broker; all of it is durable."""

    exchange: str  #: topic; the routing key is the event's type

    @property
    def audit(self) -> str:
        """Quorum queue of everything."""
        return f"{self.exchange}.audit"

    @property
    def dead(self) -> str:
        """Quorum queue of messages that are no events."""
        return f"{self.exchange}.audit.dead"

    def audit_arguments(self) -> dict[str, Any]:
        """One reader at a time, so that the order is kept; what it cannot have is not lost either."""
        return quorum(self.dead) | {"x-single-active-consumer": True}

    def dead_arguments(self) -> dict[str, Any]:
        return quorum()


def quorum(dead: str = "") -> dict[str, Any]:
    """Arguments of a quorum queue.

    dead  queue that gets the messages that are rejected, without losing one on the way
    """
    if not dead:
        return {"x-queue-type": "quorum"}
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",  # which that strategy asks for; there is no limit to overflow
    }


def parameters(
    address: Address, *, name: str = "zdriver", heartbeat: int = HEARTBEAT
) -> tuple[pika.ConnectionParameters, ...]:
    """How to connect, for each host that the URL names.

    name       shown by the broker as the connection's
    heartbeat  seconds, where the URL says nothing

    Raises Unavailable, one line naming the setting, for options that are not known and files that
    cannot be read.
    """
    url = urls.parse(address.url)
    for option, _value in url.query:
        if option not in _OPTIONS:
            raise Unavailable(
                f"{address.setting} has the option {option}, which zdriver does not know",
                hint=f"allowed: {', '.join(_OPTIONS)}",
            )
    tls = _tls(address, url) if address.scheme == "amqps" else None
    server_name = next(filter(None, map(url.option, _SERVER_NAME)), None)
    timeout = _seconds(address, url, "connect_timeout", "connection_timeout") or CONNECT
    beat = _seconds(address, url, "heartbeat")
    return tuple(
        pika.ConnectionParameters(
            host=host,
            port=port or PORTS[address.scheme],
            virtual_host=unquote(url.path[1:]) or "/",
            credentials=pika.PlainCredentials(
                unquote(url.user or "guest"),
                unquote("guest" if url.password is None else url.password),
                erase_on_connect=False,
            ),
            heartbeat=heartbeat if beat is None else int(beat),
            ssl_options=None if tls is None else pika.SSLOptions(tls, server_name or host),
            socket_timeout=min(timeout, 5.0),
            stack_timeout=timeout,
            connection_attempts=1,
            client_properties={
                "product": "zdriver",
                "version": __version__,
                "connection_name": f"{name}@{socket.gethostname()}",
            },
        )
        for host, port in _hosts(url)
    )


def explain(error: BaseException, address: Address) -> Unavailable:
    """Any error of pika's, of TLS and of sockets: one line naming the setting and the cause."""
    cause, hint = _words(_root(error), address)
    return Unavailable(f"{address.setting}: {cause}", hint=hint)


def too_old(version: str, address: Address) -> Unavailable | None:
    """What is wrong with a broker of this version; None when it is new enough, or does not say."""
    numbers = tuple(int(part) for part in re.findall(r"[0-9]+", version)[:2])
    if not numbers or numbers >= OLDEST:
        return None
    there = urls.parse(address.url).hosts
    return Unavailable(
        f"{address.setting}: the broker at {there} is RabbitMQ {version},"
        f" zdriver needs {OLDEST[0]}.{OLDEST[1]}",
        hint="upgrade it, or name another one",
    )


def cut(connection: pika.connection.Connection) -> None:
    """End a connection whose broker answers no goodbye. pika has no public call for that."""
    if not connection.is_closed:
        connection._terminate_stream(amqp.StreamLostError("the broker does not answer"))


def refused_by_broker(error: BaseException) -> tuple[int, str] | None:
    """Code and text with which the broker closed a channel; None when something else happened."""
    if isinstance(error, amqp.ChannelClosedByBroker):
        return error.reply_code, " ".join(error.reply_text.split())
    return None


# ---- inside ------------------------------------------------------------------------------


def _hosts(url: urls.Url) -> Iterator[tuple[str, int]]:
    for each in url.hosts.split(","):
        host, colon, port = each.rpartition(":")
        if not colon or each.endswith("]"):
            host, port = each, ""
        yield unquote(host).strip("[]"), int(port or 0)


def _seconds(address: Address, url: urls.Url, *names: str) -> float | None:
    for name in names:
        text = url.option(name)
        if text is None:
            continue
        if not text.isascii() or not text.isdigit() or len(text) > 5 or (name != "heartbeat" and text == "0"):
            raise Unavailable(f"{address.setting}: {name} is no whole number of seconds")
        return float(text)
    return None


def _tls(address: Address, url: urls.Url) -> ssl.SSLContext:
    cafile = url.option("cacertfile") or url.option("cafile")
    verify = url.option("verify") or "verify_peer"
    if verify not in ("verify_peer", "verify_none"):
        raise Unavailable(f"{address.setting}: verify is neither verify_peer nor verify_none")
    try:
        context = ssl.create_default_context(cafile=cafile)
    except (OSError, ssl.SSLError) as error:
        raise Unavailable(
            f"{address.setting}: the certificates in {cafile} cannot be read: {_line(error)}",
            hint="cafile is a PEM file with the certificate of the authority",
        ) from error
    if verify == "verify_none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certfile := url.option("certfile"):
        keyfile = url.option("keyfile")
        try:
            # An empty password: OpenSSL must not ask for one on a terminal.
            context.load_cert_chain(certfile, keyfile, password="")
        except (OSError, ssl.SSLError) as error:
            raise Unavailable(
                f"{address.setting}: the client's certificate {certfile} cannot be used: {_line(error)}",
                hint="certfile and keyfile are PEM files that belong together, the key without a passphrase",
            ) from error
    return context


def _root(error: BaseException) -> BaseException:
    """What is inside of pika's wrappings."""
    while True:
        inner: BaseException | None = None
        if isinstance(error, workflow.AMQPConnectionWorkflowFailed) and error.exceptions:
            inner = error.exceptions[-1]
        elif isinstance(error, workflow.AMQPConnectorPhaseErrorBase):
            inner = error.exception
        elif type(error) in (amqp.AMQPConnectionError, amqp.StreamLostError) and error.args:
            inner = next((each for each in error.args if isinstance(each, BaseException)), None)
        if inner is None:
            return error
        error = inner


def _words(error: BaseException, address: Address) -> tuple[str, str]:
    """(cause, hint)"""
    url = urls.parse(address.url)
    user, vhost = unquote(url.user or "guest"), unquote(url.path[1:]) or "/"
    there = url.hosts
    match error:
        case amqp.ProbableAuthenticationError() | amqp.AuthenticationError():
            hint = "guest may log in from the broker's own machine only" if user == "guest" else ""
            return f"the broker at {there} refuses user {user} with this password", hint
        case amqp.ProbableAccessDeniedError() | amqp.ConnectionClosedByBroker(reply_code=530 | 403):
            rights = f"rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'"
            return f"the broker at {there} has no vhost {vhost} that user {user} may use", (
                f"`rabbitmqctl add_vhost {vhost}`, then `{rights}`"
            )
        case amqp.IncompatibleProtocolError():
            return f"what listens at {there} does not speak AMQP 0-9-1", (
                "a port for TLS needs amqps://" if address.scheme == "amqp" else "is it a port without TLS?"
            )
        case ssl.SSLCertVerificationError():
            return f"TLS refused: the broker's certificate is not trusted: {error.verify_message}", (
                "name your authority's certificate: ?cafile=/etc/ssl/ca.pem"
            )
        case ssl.SSLError():
            return f"TLS refused by {there}: {error.reason or _line(error)}", "is it a port for TLS?"
        case socket.gaierror():
            return f"there is no host {there}", "check the name"
        case ConnectionRefusedError():
            return f"nothing listens at {there}", "is RabbitMQ running?"
        case TimeoutError() | workflow.AMQPConnectorStackTimeout() | amqp.ConnectionOpenAborted():
            return f"no broker answered at {there} in time", "is it reachable, and RabbitMQ?"
        case amqp.AMQPHeartbeatTimeout():
            return f"the broker at {there} does not answer any more", ""
        case amqp.ChannelClosedByBroker():
            return _refusal(error)
        case amqp.ConnectionClosed():
            return f"the broker closed the connection: {error.reply_code} {_line(error.reply_text)}", ""
        case _:
            return f"the connection to {there} was lost: {_line(error) or type(error).__name__}", ""


def _refusal(error: amqp.ChannelClosedByBroker) -> tuple[str, str]:
    text = _line(error.reply_text)
    if error.reply_code == 406 and "inequivalent arg" in text:
        return f"it is declared differently on the broker: {text}", (
            "name another one (events.exchange), or delete it on the broker"
        )
    if error.reply_code == 403:
        return f"no rights on the broker: {text}", "the user needs configure, write and read"
    return f"the broker refuses: {error.reply_code} {text}", ""


def _line(of: object) -> str:
    return " ".join(str(of).split())
