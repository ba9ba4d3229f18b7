"""zdriver remembers what goes on in your terminals, and brings it back.

    import zdriver

    with zdriver.connect() as driver:          # the daemon (started if need be)
        driver.context.set_intent("Refactor database layer", place=zdriver.here())

`connect()` talks to the daemon; `open()` does the same work in this process, without one.
Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zdriver.library import Driver, connect, here, open
    from zdriver.core.errors import ZdriverError

__version__ = "0.1.0"

__all__ = ["Driver", "ZdriverError", "__version__", "connect", "here", "open"]

_HOMES = {
    "Driver": "zdriver.library",
    "connect": "zdriver.library",
    "here": "zdriver.library",
    "open": "zdriver.library",
    "ZdriverError": "zdriver.core.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'zdriver' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
