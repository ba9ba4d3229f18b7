"""How an engine is, by asking it from here: the doctor must not have to believe the daemon."""

from __future__ import annotations

import logging
import time

from zdriver.core.config import Config
from zdriver.core.engines import SCHEMES, Address, EngineHealth, Role


def ask(at: Address, role: Role, config: Config) -> EngineHealth | None:
    """Connect, look, and let go; None where only the plugin that knows the scheme could.

    Raises ZdriverError, one line naming the setting and the cause.
    """
    # What engines log is for the daemon's log; here it is an answer.
    logging.getLogger("zdriver").addHandler(logging.NullHandler())
    if role == "context":
        return _hot(at, config)
    if role == "events":
        return _sink(at, config)
    if at.scheme in SCHEMES[at.setting]:
        return _postgresql(at, role)
    return None


def _postgresql(at: Address, role: Role) -> EngineHealth:
    from zdriver.storage.postgres.looking import look

    seen = look(at, "archive" if role == "archive" else "postgresql")
    return EngineHealth(
        engine="postgresql",
        role=role,
        setting=at.setting,
        address=at.shown,
        state="ok",
        version=seen.version,
        latency_ms=seen.latency_ms,
        skew_ms=seen.skew_ms,
    )


def _hot(at: Address, config: Config) -> EngineHealth:
    from zdriver import plugins

    hot = plugins.hot_context(at, config)
    try:
        hot.connect()
        hot.connect()  # measured without the way in: TLS alone takes longer than an answer may
        return hot.health()
    finally:
        hot.close()


def _sink(at: Address, config: Config) -> EngineHealth:
    from zdriver import plugins
    from zdriver.events.sinks import sink_name

    sink = plugins.event_sink(at, config)
    begun = time.perf_counter()
    try:
        sink.open(lambda _why: None)
        took = (time.perf_counter() - begun) * 1000
        state = sink.state()
    finally:
        sink.close()
    return EngineHealth(
        engine=sink_name(at.scheme),
        role="events",
        setting=at.setting,
        address=at.shown,
        state="slow" if state.slow else "ok",
        message=state.slow,
        version=state.version,
        latency_ms=round(took, 3),
    )
