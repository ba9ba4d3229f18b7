"""Plugins: what is built in, and packages with an entry point in the group `zdriver`.

Loaded when the first extension point is used, and not before. A plugin that cannot be loaded is
named in the log and left out: it must not keep zdriver from working.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

import pluggy

from zdriver import hookspecs

if TYPE_CHECKING:
    from zdriver.forges.model import Forge

log = logging.getLogger(__name__)

GROUP = "zdriver"


@cache
def manager() -> pluggy.PluginManager:
    """With everything registered; the same one for the life of this process."""
    from zdriver.forges import gh, plain

    made = pluggy.PluginManager("zdriver")
    made.add_hookspecs(hookspecs)
    made.register(plain, "zdriver-git")
    made.register(gh, "zdriver-gh")
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        _load(made, point)
    return made


def forges(remote_url: str, environ: Mapping[str, str]) -> tuple[Forge, ...]:
    """Those that feel responsible for the remote, the first to be asked first.

    Called one by one: pluggy's own call ends at the first plugin that fails.
    """
    given = {"remote_url": remote_url, "environ": environ}
    found: list[Forge] = []
    for each in reversed(manager().hook.zdriver_forge.get_hookimpls()):
        try:
            forge = cast("Forge | None", each.function(*(given[name] for name in each.argnames)))
        except Exception as error:
            log.warning("the plugin %s is left out: %s", each.plugin_name, error, exc_info=True)
            continue
        if forge is not None:
            found.append(forge)
    return tuple(found)


def _load(into: pluggy.PluginManager, point: EntryPoint) -> None:
    try:
        into.register(point.load(), point.name)
    except Exception as error:
        log.warning("the plugin %s (%s) is left out: %s", point.name, point.value, error, exc_info=True)
