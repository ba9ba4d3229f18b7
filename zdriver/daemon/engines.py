"""What the daemon says of the engines that are configured, and what it does without one.

Only the store is needed to serve. Another engine that cannot be had is left out: the rest
goes on, and `zdriver daemon status`, `zdriver doctor` and the status line say what does not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from zdriver.core.config import Config
from zdriver.core.engines import PLUGGABLE, TITLES, Address, EngineHealth, Role, address, configured, plugged
from zdriver.core.errors import ZdriverError

log = logging.getLogger(__name__)

#: Seconds for which a warning holds.
AGAIN = 0.5
#: Seconds before one is due: at the daemon's start nothing is connected yet.
GRACE = 2.0

T = TypeVar("T")
Health = Callable[[], EngineHealth]

#: Role → how its engine is called where there is nobody to ask.
_ENGINES: dict[Role, str] = {
    "storage": "postgresql",
    "context": "redis",
    "archive": "postgresql",
    "events": "rabbitmq",
    "audit": "rabbitmq",
    "tasks": "rabbitmq",
}


class Engines:
    """The engines of one daemon, but for the store: their addresses, and how each of them is."""

    def __init__(self, config: Config) -> None:
        """Reads the secrets, which may take as long as `password_command` takes. Raises nothing."""
        #: one for each that is configured; what talks to an engine adds its own
        self.healths: list[Health] = []
        self._config = config
        self._said = ("", -AGAIN)  #: the newest warning, and when that was (s)
        #: None where nothing is set, or what is set is wrong (and in `healths`)
        self.context = self._address("context.url", "context")
        self.archive = self._address("archive.url", "archive")
        self.events = self._address("events.url", "events")

    def optional(self, setting: str, role: Role, make: Callable[[], T]) -> T | None:
        """What `make` makes; None where it cannot, which `healths` then says."""
        try:
            return make()
        except ZdriverError as error:
            log.warning("%s; %s", error.message, error.hint)
            down = self._failed(setting, role, error)
        except Exception as error:  # of a driver, or of a plugin: the daemon must start nevertheless
            log.exception("%s", setting)
            said = ZdriverError(f"{setting}: {type(error).__name__}", hint="the daemon's log says more")
            down = self._failed(setting, role, said)
        self.healths.append(lambda: down)
        return None

    def warning(self) -> str:
        """What the status line warns of. However many sessions ask, engines are asked once in `AGAIN`."""
        said, at = self._said
        if not self.healths or time.monotonic() < at + AGAIN:
            return said
        self._said = warning(asked(self.healths), datetime.now(UTC)), time.monotonic()
        return self._said[0]

    def _address(self, setting: str, role: Role) -> Address | None:
        if not configured(setting, self._config):
            return None
        return self.optional(
            setting, role, lambda: address(setting, self._config, others=setting in PLUGGABLE)
        )

    def _failed(self, setting: str, role: Role, error: ZdriverError) -> EngineHealth:
        """How an engine is that could not even be begun with."""
        return EngineHealth(
            engine=plugged(setting, self._config) or _ENGINES[role],
            role=role,
            setting=setting,
            address="",
            state="down",
            message=error.message,
            hint=error.hint,
            since=datetime.now(UTC),
        )


def asked(healths: Sequence[Health]) -> tuple[EngineHealth, ...]:
    """What all say. One that fails at it is left out, and its failure logged."""
    said = []
    for health in healths:
        try:
            said.append(health())
        except Exception:  # of a plugin, or a defect of ours: the others are told nevertheless
            log.exception("an engine's health")
    return tuple(said)


def warning(healths: Sequence[EngineHealth], now: datetime) -> str:
    """ "Redis down, PostgreSQL (archive) slow": the worst first; "" when all is well, or was a moment ago."""
    bad = [each for each in healths if each.state != "ok" and not _just_now(each, now)]
    worst: dict[str, EngineHealth] = {}
    for each in sorted(bad, key=_importance):
        worst.setdefault(each.setting, each)
    return ", ".join(f"{title(each)} {each.state}" for each in worst.values())


def title(health: EngineHealth) -> str:
    """How an engine is called where there is little room: its name, and its role where it has several."""
    name = TITLES.get(health.engine, health.engine)
    return f"{name} ({health.role})" if health.role in ("archive", "audit", "tasks") else name


def _just_now(health: EngineHealth, now: datetime) -> bool:
    return health.since is not None and 0 <= (now - health.since).total_seconds() < GRACE


def _importance(health: EngineHealth) -> tuple[bool, int]:
    return health.state == "slow", tuple(_ENGINES).index(health.role)
