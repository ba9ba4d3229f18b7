"""Plugins: what is built in, and packages with an entry point in the group `zdriver`.

Loaded when the first extension point is used, and not before. A plugin that cannot be loaded is
named in the log and left out: it must not keep zdriver from working.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, cast

import pluggy

from zdriver import hookspecs
from zdriver.core.engines import Address, unknown_scheme
from zdriver.core.errors import Unavailable, ZdriverError

if TYPE_CHECKING:
    from zdriver.core.config import Config
    from zdriver.events.sinks import EventSink
    from zdriver.forges.model import Forge
    from zdriver.hot.port import Hot
    from zdriver.storage.port import Store

log = logging.getLogger(__name__)

GROUP = "zdriver"


@cache
def manager() -> pluggy.PluginManager:
    """With everything registered; the same one for the life of this process."""
    from zdriver import builtin
    from zdriver.forges import gh, plain

    made = pluggy.PluginManager("zdriver")
    made.add_hookspecs(hookspecs)
    made.register(builtin, "zdriver")
    made.register(plain, "zdriver-git")
    made.register(gh, "zdriver-gh")
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        _load(made, point)
    return made


def forges(remote_url: str, environ: Mapping[str, str]) -> tuple[Forge, ...]:
    """Those that feel responsible for the remote, the first to be asked first."""
    given = {"remote_url": remote_url, "environ": environ}
    found: list[Forge] = []
    for name, answer in _asked("zdriver_forge", given):
        if isinstance(answer, Exception):
            log.warning("the plugin %s is left out: %s", name, answer, exc_info=answer)
        else:
            found.append(cast("Forge", answer))
    return tuple(found)


def storage(address: Address, sinks: tuple[str, ...]) -> Store:
    """The store at an address. Raises what its plugin raises; Unavailable where nobody knows the scheme."""
    return cast("Store", _engine("zdriver_storage", address, {"address": address, "sinks": sinks}))


def hot_context(address: Address, config: Config) -> Hot:
    """The hot copy at an address. Raises as `storage` does."""
    return cast("Hot", _engine("zdriver_hot_context", address, {"address": address, "config": config}))


def event_sink(address: Address, config: Config) -> EventSink:
    """The sink at an address. Raises as `storage` does."""
    return cast("EventSink", _engine("zdriver_event_sink", address, {"address": address, "config": config}))


def _engine(hook: str, address: Address, given: Mapping[str, object]) -> object:
    """What the first plugin answers that knows the address."""
    for name, answer in _asked(hook, given):
        if isinstance(answer, ZdriverError):
            raise answer
        if isinstance(answer, Exception):
            # With another engine in its place, what is stored would be somewhere else.
            log.error("the plugin %s failed", name, exc_info=answer)
            raise Unavailable(
                f"{address.setting}: the plugin {name} failed: {type(answer).__name__}",
                hint="the daemon's log says more",
            )
        return answer
    raise unknown_scheme(address.setting, address.scheme)


def _asked(hook: str, given: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """What each plugin says that says anything, or the exception it raises, the first to be asked first.

    Called one by one: pluggy's own call ends at the first plugin that fails.
    """
    caller: Any = getattr(manager().hook, hook)
    for each in reversed(caller.get_hookimpls()):
        try:
            answer: object = each.function(*(given[name] for name in each.argnames))
        except Exception as error:
            answer = error
        if answer is not None:
            yield each.plugin_name, answer


def _load(into: pluggy.PluginManager, point: EntryPoint) -> None:
    try:
        into.register(point.load(), point.name)
    except Exception as error:
        log.warning("the plugin %s (%s) is left out: %s", point.name, point.value, error, exc_info=True)
