"""Renames that harm nothing: renameat2(2) through the C library, where the system has it."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import cache
from typing import Any

_NOREPLACE, _EXCHANGE = 1, 2
#: The system, or the file system, has no such call.
_NOT_THERE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


class NotSupported(OSError):
    """Neither this system nor another name for it can do that."""


def exchange(folder: int, one: str, other: str) -> None:
    """Two names in the folder `folder` (a descriptor) change places, at once.

    Raises NotSupported, FileNotFoundError and other OSErrors.
    """
    _rename(folder, one, other, _EXCHANGE)


def rename_new(folder: int, name: str, new: str) -> None:
    """Rename in the folder `folder` (a descriptor), only if nothing is called `new`.

    Raises FileExistsError, NotSupported and other OSErrors.
    """
    _rename(folder, name, new, _NOREPLACE)


def _rename(folder: int, name: str, new: str, flags: int) -> None:
    call = _renameat2()
    if call is None:
        raise NotSupported(errno.ENOSYS, os.strerror(errno.ENOSYS), name)
    if call(folder, os.fsencode(name), folder, os.fsencode(new), flags) == 0:
        return
    number = ctypes.get_errno()
    kind = NotSupported if number in _NOT_THERE else OSError
    raise kind(number, os.strerror(number), name, None, new)


@cache
def _renameat2() -> Any:  # a foreign function has no useful type
    if not sys.platform.startswith("linux"):
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return call
