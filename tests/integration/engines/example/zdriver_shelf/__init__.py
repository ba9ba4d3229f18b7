"""Engines made of files, in one folder: `storage.url`, `context.url` and `events.url` may be
`shelf:///home/me/shelf`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from zdriver import Unavailable
from zdriver.hookspecs import hookimpl

if TYPE_CHECKING:
    from zdriver.core.config import Config
    from zdriver.core.engines import Address
    from zdriver.events.sinks import EventSink
    from zdriver.hot.port import Hot
    from zdriver.storage.port import Store


@hookimpl
def zdriver_storage(address: Address, sinks: tuple[str, ...]) -> Store | None:
    if address.scheme != "shelf":
        return None
    from zdriver.storage.sqlite import SqliteStore

    return SqliteStore(_folder(address) / "zdriver.db", sinks=sinks)


@hookimpl
def zdriver_hot_context(address: Address, config: Config) -> Hot | None:
    if address.scheme != "shelf":
        return None
    from .hot import Shelf

    return Shelf(address, _folder(address))


@hookimpl
def zdriver_event_sink(address: Address, config: Config) -> EventSink | None:
    if address.scheme != "shelf":
        return None
    from .events import Lines

    return Lines(address, _folder(address) / "events.jsonl")


def _folder(address: Address) -> Path:
    parts = urlsplit(address.url)
    if parts.netloc or len(parts.path) < 2:
        raise Unavailable(
            f"{address.setting}: {address.shown} names no folder", hint="for example shelf:///home/me/shelf"
        )
    return Path(unquote(parts.path))
