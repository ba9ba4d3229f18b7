"""The client's side of `events.subscribe`."""

from __future__ import annotations

from collections.abc import Generator

import msgspec

from zdriver.rpc.client import Connection
from zdriver.rpc.events_api import Logged, Subscribed

_decode = msgspec.json.Decoder(Logged).decode


def follow(connection: Connection, after: int | None) -> Generator[Logged, None, None]:
    """Subscribe, and again after the last event seen whenever the connection breaks."""
    cursor = after
    with connection:
        while True:
            given = {} if cursor is None else {"after": cursor}
            answer = connection.call("events.subscribe", given)
            cursor = msgspec.json.decode(answer, type=Subscribed).cursor
            try:
                while True:
                    notification = connection.next_notification()
                    if notification is None or notification.method != "event":
                        continue
                    logged = _decode(notification.params)
                    cursor = logged.cursor
                    yield logged
            except (ConnectionError, EOFError):
                connection.reset()
