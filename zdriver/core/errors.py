"""Every error zdriver raises on purpose, as one tree.

    ZdriverError                 exit 1
    ├── InvalidInput             exit 2   what was given cannot be meant
    │   └── Ambiguous            exit 2   several things have that name
    ├── NotFound                 exit 3
    ├── Conflict                 exit 4   somebody or something else holds it
    │   └── StoreInUse           exit 4   another process owns the store
    ├── Unavailable              exit 5   a part that is needed does not answer
    │   ├── StorageFull          exit 5
    │   ├── StoreTooNew          exit 5
    │   └── StoreDamaged         exit 5
    └── Internal                 exit 1   a defect of zdriver's

A message is one line and names what is wrong; the hint says what to do next.
`code` is stable and is what scripts and the wire see.
"""

from __future__ import annotations

from typing import ClassVar


class ZdriverError(Exception):
    """Base of all. `str(error)` is the one-line message."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1
    rpc_code: ClassVar[int] = -32000

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(ZdriverError):
    code = "invalid_input"
    exit_code = 2
    rpc_code = -32602


class Ambiguous(InvalidInput):
    code = "ambiguous"


class NotFound(ZdriverError):
    code = "not_found"
    exit_code = 3
    rpc_code = -32004


class Conflict(ZdriverError):
    code = "conflict"
    exit_code = 4
    rpc_code = -32009


class StoreInUse(Conflict):
    code = "store_in_use"


class Unavailable(ZdriverError):
    code = "unavailable"
    exit_code = 5
    rpc_code = -32003


class StorageFull(Unavailable):
    code = "storage_full"


class StoreTooNew(Unavailable):
    code = "store_too_new"


class StoreDamaged(Unavailable):
    code = "store_damaged"


class Internal(ZdriverError):
    code = "internal"
    rpc_code = -32603


def _tree(root: type[ZdriverError]) -> list[type[ZdriverError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _tree(child))]


def from_code(code: str, message: str, hint: str = "") -> ZdriverError:
    """The error that a peer named by its `code`; an unknown code becomes a plain ZdriverError."""
    for kind in _tree(ZdriverError):
        if kind.code == code:
            return kind(message, hint=hint)
    return ZdriverError(message, hint=hint)
