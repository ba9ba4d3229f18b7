"""What the daemon says of the engines that are configured, and what it does without one.

Only the store is needed to serve. Another engine that cannot be had is left out: the rest
goes on, and `zdriver daemon status`, `zdriver doctor` and the status line say what does not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from zdriver.core.config import Config
from zdriver.core.engines import EngineHealth, Role, configured
from zdriver.core.errors import ZdriverError

log = logging.getLogger(__name__)

T = TypeVar("T")
Health = Callable[[], EngineHealth]

#: Role → how its engine is called where there is nobody to ask.
_ENGINES: dict[Role, str] = {
    "storage": "postgresql",
    "context": "redis",
    "archive": "postgresql",
    "events": "rabbitmq",
    "audit": "rabbitmq",
}


def optional(
    healths: list[Health], setting: str, role: Role, config: Config, make: Callable[[], T]
) -> T | None:
    """What `make` makes; None where it cannot, which `healths` then says.

    Nothing is made, and nothing said, where the setting is empty.
    """
    if not configured(setting, config):
        return None
    try:
        return make()
    except ZdriverError as error:
        log.warning("%s; %s", error.message, error.hint)
        down = failed(setting, role, error)
    except Exception as error:  # of a driver, or of a plugin: the daemon must start nevertheless
        log.exception("%s", setting)
        down = failed(
            setting, role, ZdriverError(f"{setting}: {type(error).__name__}", hint="its log says more")
        )
    healths.append(lambda: down)
    return None


def failed(setting: str, role: Role, error: ZdriverError) -> EngineHealth:
    """How an engine is that could not even be begun with."""
    return EngineHealth(
        engine=_ENGINES[role],
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
        except Exception:
            log.exception("an engine's health")
    return tuple(said)
