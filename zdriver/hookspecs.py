"""The extension points, on one page. A plugin is a package with an entry point in the group `zdriver`;
docs/engines.md and docs/forges.md show one each.

    [project.entry-points.zdriver]
    myforge = "myforge.plugin"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from zdriver.core.config import Config
    from zdriver.core.engines import Address
    from zdriver.events.sinks import EventSink
    from zdriver.forges.model import Forge
    from zdriver.hot.port import Hot
    from zdriver.storage.port import Store

hookspec = pluggy.HookspecMarker("zdriver")
#: Marks a plugin's functions: `from zdriver.hookspecs import hookimpl`.
hookimpl = pluggy.HookimplMarker("zdriver")


@hookspec
def zdriver_forge(remote_url: str, environ: Mapping[str, str]) -> Forge | None:
    """The forge of a remote, or None when this plugin does not know it.

    remote_url  as it is configured, without user and password; may be a path
    environ     of the caller, as far as git and forges need it

    All that answer are asked for the pull request in turn, until one has it. Plugins go before what
    is built in, the one registered last first; `@hookimpl(tryfirst=True)` goes before other plugins,
    `trylast=True` behind. Built in are `gh` (GitHub, where that program is installed) and, at the very
    end, `git` (any remote that shows pull requests as refs). Nothing here may wait for the network.
    A plugin that raises is named in the daemon's log and left out.
    """
    raise NotImplementedError


# An engine is asked for when its setting has a URL, once, at the daemon's start. The first plugin
# that answers is the one: plugins before what is built in, the one registered last first. Raise
# `zdriver.Unavailable`, one line that names `address.setting` and the cause, where the URL cannot be
# meant; any other exception counts as that and is logged. Never print `address.url`: it has the
# secret in it, `address.shown` has not. Import what is needed inside the function: it is called for
# the URLs of others as well.


@hookspec
def zdriver_storage(address: Address, sinks: tuple[str, ...]) -> Store | None:
    """The store behind `storage.url`, open, or None when the scheme is not this plugin's.

    sinks  each event gets a row in `deliveries` for each of these names, in its transaction

    Built in is `postgresql`. Without a URL it is SQLite, and nobody is asked. Raises Unavailable when
    it cannot be opened: nothing works without the store, so the daemon does not start. One that has
    a method `health() -> EngineHealth` is asked how it is.
    """
    raise NotImplementedError


@hookspec
def zdriver_hot_context(address: Address, config: Config) -> Hot | None:
    """The hot copy behind `context.url`, or None when the scheme is not this plugin's.

    config  all of it; `config.context.timeout_ms` is how long a look may keep a command waiting

    Built in are `redis`, `rediss` and `unix`. Connects later: one that is down is no reason to raise.
    """
    raise NotImplementedError


@hookspec
def zdriver_event_sink(address: Address, config: Config) -> EventSink | None:
    """Where events go that `events.url` publishes to, or None when the scheme is not this plugin's.

    config  all of it; `config.events`

    Built in are `amqp` and `amqps`. Connects in `EventSink.open`, which the relay calls in its own
    thread, again and again until it is there.
    """
    raise NotImplementedError
