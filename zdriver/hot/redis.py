"""The hot copy in Redis (6 or newer; also KeyDB and Valkey, which speak the same).

    session:{id}              HASH  a context, as `fields` writes it            7 days
    intent:{id}               text  its intent                                  24 h from when it was set
    zdriver:site:{key}        ZSET  ids of the contexts of one `Site.key`, by time of change
    zdriver:sentinel:{mark}   text  of one daemon: there as long as nothing was emptied

Every save is one pipeline of scripts: a script writes a view only when none newer is there, so
that it does not matter in which order, or how often, they arrive. Redis Cluster is not served:
the keys of one context lie in several slots.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from zdriver.core.clock import now_us, to_datetime
from zdriver.core.config import Config
from zdriver.core.engines import Address, EngineHealth
from zdriver.core.errors import Unavailable
from zdriver.core.ids import new_id
from zdriver.hot.breaker import Breaker
from zdriver.hot.fields import from_fields, to_fields
from zdriver.hot.model import HotView
from zdriver.hot.port import CONTEXT_SECONDS, INTENT_SECONDS
from zdriver.hot.scripts import DROP, FIND, SAVE, Script
from zdriver.hot.telling import told
from zdriver.storage.host import host_id

log = logging.getLogger(__name__)

T = TypeVar("T")

OLDEST = (6, 0)  #: versions of Redis
#: What a thread that may wait gives one answer, as a multiple of `context.timeout_ms` …
PATIENCE = 4
PATIENCE_LEAST = 3.0  #: … and seconds at least
SENTINEL_SECONDS = 86_400  #: after which that of a daemon that is no more goes
CLOCKS_AGREE = 1000.0  #: ms: clocks that are less apart are taken as they are
FOUND_MAX = 16  #: contexts of one site that are looked at


def redis_hot(address: Address, config: Config) -> RedisHot:
    """As `zdriver_hot_context` wants it."""
    return RedisHot(address, host=host_id(), timeout_ms=config.context.timeout_ms)


class RedisHot:
    """Implements `port.Hot`. `find` and `health` may be called from any thread, the rest from one."""

    def __init__(self, address: Address, *, host: str, timeout_ms: int = 50) -> None:
        """`host` is this machine's id. Raises Unavailable when the address is none; connects later."""
        self._address = address
        self._host = host
        self._quick = timeout_ms / 1000
        self._sentinel = ""  #: its key
        self._looks = self._client(self._quick)
        self._keeps = self._client(max(PATIENCE_LEAST, PATIENCE * self._quick))
        self._breaker = Breaker(time.time())
        self._hint = ""
        self._version = ""
        self._skew = 0.0  #: ms that the clock of Redis, which all machines share, is ahead of ours
        self._latency: float | None = None

    def _client(self, timeout: float) -> redis.Redis:
        _check_files(self._address)
        try:
            return redis.Redis.from_url(
                self._address.url,
                protocol=2,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError) as error:
            raise Unavailable(
                f"context.url cannot be used: {error}", hint="docs/engines.md has examples"
            ) from None

    # ---- port.Keep ----------------------------------------------------------------------

    def connect(self) -> None:
        def ask() -> None:
            self._version = str(self._keeps.info("server").get("redis_version", ""))
            _refuse_old(self._version)
            for script in (SAVE, DROP, FIND):
                self._keeps.script_load(script.text)
            asked = now_us()
            self._set_skew(asked, self._keeps.time())

        self._asking(ask)

    def save(self, views: Sequence[HotView], live: frozenset[str] = frozenset()) -> Sequence[str]:
        now = to_datetime(now_us())

        def ask() -> list[Any]:
            pipe = self._keeps.pipeline(transaction=False)
            for view in views:
                _add(pipe, SAVE, *_save(view, now, self._skew, view.id in live))
            return pipe.execute(raise_on_error=False)

        answers = self._scripted(ask, len(views))
        return [view.id for view, answer in zip(views, answers, strict=True) if answer == 0]

    def drop(self, ids: Sequence[str]) -> None:
        def ask() -> list[Any]:
            pipe = self._keeps.pipeline(transaction=False)
            for id_ in ids:
                _add(pipe, DROP, (f"session:{id_}", f"intent:{id_}"), (id_,))
            return pipe.execute(raise_on_error=False)

        self._scripted(ask, len(ids))

    def load(self, id_: str) -> HotView | None:
        fields: dict[Any, Any] = self._asking(lambda: self._keeps.hgetall(f"session:{id_}"))
        return self._view(id_, fields) if fields else None

    def intact(self) -> bool:
        def ask() -> list[Any]:
            pipe = self._keeps.pipeline(transaction=False)
            pipe.expire(self._sentinel or "zdriver:sentinel:", SENTINEL_SECONDS)  # 1 where it is there
            pipe.time()
            return pipe.execute()

        asked = now_us()
        there, clock = self._asking(ask)
        self._set_skew(asked, clock)
        return bool(there)

    def mark(self) -> None:
        # One of its own: of two daemons that share a host's id, none finds the other's, nor takes it away.
        self._sentinel = f"zdriver:sentinel:{new_id()}"
        self._asking(lambda: self._keeps.set(self._sentinel, self._host, ex=SENTINEL_SECONDS))

    # ---- port.Look ----------------------------------------------------------------------

    def find(self, key: str) -> Sequence[HotView]:
        if not self._breaker.closed:
            return ()
        begun = time.monotonic()
        try:
            found = self._looks.evalsha(FIND.digest, 1, f"zdriver:site:{key}", FOUND_MAX)
        except NoScriptError:
            return ()  # it was emptied, or is another one: who writes finds out
        except RedisError as error:
            self._failed(error)
            return ()
        self._worked(begun, self._quick)
        views = (self._view(id_.decode("ascii", "replace"), _pairs(flat)) for id_, flat in found)
        return [view for view in views if view is not None]

    # ---- port.Hot -----------------------------------------------------------------------

    def health(self) -> EngineHealth:
        breaker = self._breaker
        state, reason = breaker.state, breaker.reason
        return EngineHealth(
            engine="redis",
            role="context",
            setting=self._address.setting,
            address=self._address.shown,
            state=state,
            message=reason,
            hint=self._hint if state == "down" else "",
            version=self._version,
            latency_ms=self._latency,
            skew_ms=round(self._skew, 3) if self._version else None,
            since=to_datetime(int(breaker.since * 1e6)),
        )

    def close(self) -> None:
        for client in (self._looks, self._keeps):
            client.close()
            client.connection_pool.disconnect()

    # ---- inside -------------------------------------------------------------------------

    def _set_skew(self, asked: int, clock: tuple[int, int]) -> None:
        """asked  µs by our clock: when that of Redis was asked for; it said so between then and now"""
        between = (asked + now_us()) / 2
        self._skew = (clock[0] * 1_000_000 + clock[1] - between) / 1000

    def _view(self, id_: str, fields: dict[bytes, bytes]) -> HotView | None:
        """With `updated_at` by our clock, so that it compares with what was done here."""
        try:
            view = from_fields(id_, fields)
            theirs = float(fields.get(b"skew_ms", b"0"))
            off = theirs - self._skew
            moved = view.updated_at + timedelta(milliseconds=off if abs(off) >= CLOCKS_AGREE else 0)
        except (ValueError, OverflowError) as error:
            log.warning("session:%s in Redis is passed over: %s", id_, error)
            return None
        return msgspec.structs.replace(view, updated_at=moved)

    def _scripted(self, ask: Callable[[], list[Any]], many: int) -> list[Any]:
        """The answers of a pipeline of `many` scripts, which are loaded when they were forgotten."""
        answers = self._asking(ask, many)
        if any(isinstance(each, NoScriptError) for each in answers):
            self.connect()
            answers = self._asking(ask, many)
        for each in answers:
            if isinstance(each, ResponseError) and str(each).startswith("WRONGTYPE"):
                log.warning("%s: a key of zdriver's is another program's: %s", self._address.setting, each)
            elif isinstance(each, Exception):
                raise self._failed(each)
        return answers

    def _asking(self, ask: Callable[[], T], many: int = 1) -> T:
        """Raises Unavailable. `many` views in one pipeline may take longer and are not slow."""
        begun = time.monotonic()
        try:
            answer = ask()
        except (RedisError, OSError, TypeError, ValueError, Unavailable) as error:
            # TypeError, ValueError: an option in the URL that the driver does not know
            raise self._failed(error) from error
        self._worked(begun, self._quick * (1 + many / 8))
        return answer

    def _worked(self, begun: float, allowed: float) -> None:
        took = time.monotonic() - begun
        self._latency = round(took * 1000, 3)
        slow = f"an answer took {took * 1000:.0f} ms; context.timeout_ms is {self._quick * 1000:.0f}"
        self._breaker.worked(time.time(), slow=slow if took > allowed else "")

    def _failed(self, error: Exception) -> Unavailable:
        said = error if isinstance(error, Unavailable) else told(error, self._address)
        if self._breaker.reason != said.message:
            log.warning("%s", said.message)
        self._hint = said.hint
        self._breaker.failed(said.message, time.time())
        return said


def _save(view: HotView, now: datetime, skew: float, live: bool) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Keys and arguments of `SAVE`."""
    age = max(0, int((now - view.updated_at).total_seconds()))
    ttl = CONTEXT_SECONDS if live else max(1, CONTEXT_SECONDS - age)
    intent = view.intent
    fresh = INTENT_SECONDS - int((now - intent.at).total_seconds()) if intent else 0
    fields = [part for pair in to_fields(view).items() for part in pair]
    score = int(view.updated_at.timestamp() * 1000 + skew)
    keys = (f"session:{view.id}", f"intent:{view.id}", f"zdriver:site:{view.site.key}")
    return keys, (
        view.id,
        view.version,
        ttl,
        min(INTENT_SECONDS, fresh),
        score,
        CONTEXT_SECONDS,
        *fields,
        "skew_ms",
        skew,
    )


def _add(pipe: Any, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> None:
    pipe.evalsha(script.digest, len(keys), *keys, *arguments)


def _pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _check_files(address: Address) -> None:
    """The driver looks for them once it is connected, and forgets that connection. Raises Unavailable."""
    for option in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        file = address.option(option)
        if file and not os.access(file, os.R_OK):
            raise Unavailable(
                f"{address.setting}: {file}, named by {option}, cannot be read",
                hint="put it there, then `zdriver daemon stop`: the next command starts it anew",
            )


def _refuse_old(version: str) -> None:
    numbers = tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2])
    if version and numbers < OLDEST:
        raise Unavailable(
            f"context.url names a Redis {version}; {OLDEST[0]}.{OLDEST[1]} or newer is needed",
            hint="upgrade it, or take context.url out",
        )
