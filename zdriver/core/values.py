"""A setting's value: what it may be, and how it is read from a file or a variable."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import inspect as types

from zdriver.core.errors import InvalidInput


def allowed(kind: types.Type) -> str:
    """What a setting of this type may be, in words."""
    match kind:
        case types.LiteralType(values=values):
            return ", ".join(map(str, values))
        case types.BoolType():
            return "true, false"
        case types.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case types.VarTupleType():
            return 'a list of names: ["npm", "cargo"]'
        case _:
            return "text in quotes"


def converted(kind: types.Type, value: Any) -> Any:
    """`value` as the setting's type. Raises msgspec.ValidationError."""
    match kind:
        case types.LiteralType(values=values):
            if value not in values or isinstance(value, bool):
                raise msgspec.ValidationError("not one of them")
            return value
        case types.BoolType():
            return msgspec.convert(value, bool)
        case types.IntType(ge=low, le=high):
            number = msgspec.convert(value, int)
            if (low is not None and number < low) or (high is not None and number > high):
                raise msgspec.ValidationError("out of range")
            return number
        case types.VarTupleType():
            return msgspec.convert(value, tuple[str, ...])
        case _:
            return msgspec.convert(value, str)


def from_text(kind: types.Type, text: str, *, where: str) -> Any:
    """A variable's text as the setting's type. Raises InvalidInput."""
    value: Any = text.strip()
    if isinstance(kind, types.BoolType):
        value = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
            value.lower(), value
        )
    elif isinstance(kind, types.IntType):
        value = int(value) if re.fullmatch(r"\d{1,12}", value, re.ASCII) else value
    elif isinstance(kind, types.VarTupleType):
        value = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return converted(kind, value)
    except msgspec.ValidationError as error:
        words = "names separated by commas" if isinstance(kind, types.VarTupleType) else allowed(kind)
        raise InvalidInput(
            f"{where} is {text!r}; allowed: {words}", hint="unset it or set it right"
        ) from error
