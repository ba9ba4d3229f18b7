"""The method table: a service's typed methods, callable by name with JSON parameters.

`add("context", ContextApi, service)` makes `context.set_intent` … of every public method
that the Api class declares. Parameters are decoded by msgspec from the annotations, so a
wrong type is refused with its place before the service sees it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, get_type_hints

import msgspec

from zdriver.core.errors import InvalidInput, ZdriverError
from zdriver.rpc.protocol import (
    BATCH_MAX,
    InvalidRequest,
    ParseError,
    Request,
    UnknownMethod,
    WithId,
    error_line,
    internal,
    result_line,
)

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_decode_request = msgspec.json.Decoder(Request).decode
_decode_id = msgspec.json.Decoder(WithId).decode
_decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode

#: What msgspec raises for bytes that are no message; ValidationError is a DecodeError, too.
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

#: An `int` of the wire: what a store can take.
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

#: Called with the connection first where a method is about the connection itself.
Function = Callable[..., Any]


def parameters(function: Function, skip: int = 1) -> dict[str, tuple[Any, ...]]:
    """Name → (type,) or (type, default) of a function, the first `skip` (`self`) left out.

    Raises TypeError for a parameter without a type: it could not be decoded.
    """
    code = function.__code__
    hints = get_type_hints(function)
    names = code.co_varnames[: code.co_argcount]
    defaults = dict(zip(reversed(names), reversed(function.__defaults__ or ()), strict=False))
    defaults |= function.__kwdefaults__ or {}
    taken = code.co_varnames[skip : code.co_argcount + code.co_kwonlyargcount]
    return {name: (hints[name], defaults[name]) if name in defaults else (hints[name],) for name in taken}


class Method:
    """One entry of the table."""

    __slots__ = ("_call", "_decode", "name", "wants_connection")

    def __init__(
        self, name: str, declared: Function, call: Function, *, skip: int = 1, wants_connection: bool = False
    ) -> None:
        fields: list[tuple[Any, ...]] = [
            (key, _Int64 if kind is int else kind, *default)
            for key, (kind, *default) in parameters(declared, skip).items()
        ]
        struct = msgspec.defstruct(name, fields, forbid_unknown_fields=True, kw_only=True, gc=False)
        self.name = name
        self.wants_connection = wants_connection
        self._decode = msgspec.json.Decoder(struct).decode
        self._call = call

    def __call__(self, params: bytes | msgspec.Raw, connection: object) -> Any:
        """Raises InvalidInput for wrong parameters, and what the service raises."""
        try:
            given = self._decode(params)
        except _MALFORMED as error:
            raise InvalidInput(
                f"{self.name}: {error or 'parameters nested too deeply'}",
                hint="parameters are given by name; docs/rpc.md lists them",
            ) from error
        arguments = msgspec.structs.asdict(given)
        if self.wants_connection:
            return self._call(connection, **arguments)
        return self._call(**arguments)


@cache
def declared_by(api: type) -> dict[str, Any]:
    """The public names of a Protocol, then those of the ones it extends."""
    found: dict[str, Any] = {}
    for each in api.__mro__:
        for name, value in vars(each).items():
            if not name.startswith("_"):
                found.setdefault(name, value)
    return found


class MethodTable:
    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def add(self, service: str, api: type, implementation: object) -> None:
        """Every public method that `api` declares, as `service.method`."""
        for name, declared in declared_by(api).items():
            if callable(declared):
                whole = f"{service}.{name}"
                self._methods[whole] = Method(whole, declared, getattr(implementation, name))

    def add_function(self, name: str, call: Function, *, wants_connection: bool = False) -> None:
        """One method. With `wants_connection`, `call` gets the connection as its first argument."""
        bound = hasattr(call, "__self__")
        self._methods[name] = Method(
            name,
            getattr(call, "__func__", call),
            call,
            skip=bound + wants_connection,
            wants_connection=wants_connection,
        )

    def names(self) -> list[str]:
        return sorted(self._methods)

    def answer(self, message: bytes, connection: object = None) -> bytes:
        """The whole answer to one line: b"" for a notification. Never raises for what was sent."""
        if message[:1] != b"{" and message.lstrip()[:1] == b"[":
            return self._answer_batch(message, connection)
        return self._answer_one(message, connection)

    def _answer_one(self, message: bytes | msgspec.Raw, connection: object) -> bytes:
        try:
            request = _decode_request(message)
        except _MALFORMED as error:
            return _refuse(message, error)
        id_ = request.id
        wanted = id_ is not msgspec.UNSET
        reply_to = None if id_ is msgspec.UNSET else id_
        try:
            if request.jsonrpc != "2.0":
                raise InvalidRequest('"jsonrpc" must be "2.0"')
            method = self._methods.get(request.method)
            if method is None:
                raise _unknown(request.method)
            encoded = _encode(method(request.params, connection))
        except ZdriverError as error:
            return error_line(reply_to, error) if wanted else b""
        except Exception as error:
            log.exception("%s failed", request.method[:100])
            return error_line(reply_to, internal(error)) if wanted else b""
        return result_line(reply_to, encoded) if wanted else b""

    def _answer_batch(self, message: bytes, connection: object) -> bytes:
        try:
            requests = _decode_batch(message)
        except _MALFORMED as error:
            return error_line(None, ParseError(f"not JSON: {error or 'nested too deeply'}"))
        if not requests or len(requests) > BATCH_MAX:
            return error_line(None, InvalidRequest(f"a batch holds 1 to {BATCH_MAX} requests"))
        answers = [answer for one in requests if (answer := self._answer_one(one, connection))]
        return b"[" + b",".join(answer[:-1] for answer in answers) + b"]\n" if answers else b""


def _refuse(message: bytes | msgspec.Raw, error: Exception) -> bytes:
    """Not JSON, or JSON that is no request: then its id is named if there is one."""
    if not isinstance(error, msgspec.ValidationError):
        return error_line(None, ParseError(f"not JSON: {error or 'nested too deeply'}"))
    try:
        id_ = _decode_id(message).id
    except _MALFORMED:
        id_ = None
    return error_line(id_, InvalidRequest(f"not a JSON-RPC 2.0 request: {error}"))


def _unknown(method: str) -> UnknownMethod:
    return UnknownMethod(
        f"the daemon knows no method {method[:100]!r}",
        hint="if the daemon is older than this command: `zdriver daemon stop`, then try again",
    )
