"""zdriver remembers what goes on in a terminal, and brings it back.

Scripts use `connect()`, `open()` and `here()`; nothing is imported before it is asked for,
because every `zdriver` command imports this file first.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    "Driver",
    "InvalidInput",
    "NotFound",
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
    from zdriver.core import errors

    value: object = getattr(library if hasattr(library, name) else errors, name)
    globals()[name] = value
    return value
