"""The extension points, on one page. A plugin is a package with an entry point in the group `zdriver`;
docs/forges.md shows one.

    [project.entry-points.zdriver]
    myforge = "myforge.plugin"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from zdriver.forges.model import Forge

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
