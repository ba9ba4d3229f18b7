"""What `zdriver doctor` looks at: small checks, each giving lines of what is and what to do."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the doctor's."""

    name: str
    state: State
    message: str
    hint: str = ""  #: what to do; "" when all is well
    fix: str = ""  #: what `--fix` does about it: "daemon" or "setup"; "" where a person has to


def ok(name: str, message: str) -> Check:
    return Check(name=name, state="ok", message=message)


def warn(name: str, message: str, hint: str, fix: str = "") -> Check:
    return Check(name=name, state="warn", message=message, hint=hint, fix=fix)


def fail(name: str, message: str, hint: str, fix: str = "") -> Check:
    return Check(name=name, state="fail", message=message, hint=hint, fix=fix)
