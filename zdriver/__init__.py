"""zdriver remembers what goes on in a terminal, and brings it back.

Scripts use `connect()`, `open()` and `here()`, the nouns and the errors; nothing is imported
before it is asked for, because every `zdriver` command imports this file first.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zdriver.context.model import Context, Entry, Intent, Milestone, Place
    from zdriver.core.errors import (
        Ambiguous,
        Conflict,
        InvalidInput,
        NotFound,
        StorageFull,
        StoreDamaged,
        StoreInUse,
        StoreTooNew,
        Unavailable,
        ZdriverError,
    )
    from zdriver.library import Driver, connect, here, open

__version__ = "0.1.0"

__all__ = [
    "Ambiguous",
    "Conflict",
    "Context",
    "Driver",
    "Entry",
    "Intent",
    "InvalidInput",
    "Milestone",
    "NotFound",
    "Place",
    "StorageFull",
    "StoreDamaged",
    "StoreInUse",
    "StoreTooNew",
    "Unavailable",
    "ZdriverError",
    "__version__",
    "connect",
    "here",
    "open",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'zdriver' has no attribute {name!r}")
    from zdriver import library
    from zdriver.context import model
    from zdriver.core import errors

    home = next(module for module in (library, errors, model) if hasattr(module, name))
    value: object = getattr(home, name)
    globals()[name] = value
    return value
