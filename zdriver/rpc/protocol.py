"""JSON-RPC 2.0 messages (https://www.jsonrpc.org/specification) and the greeting.

One message a line. Parameters are given by name. An error's `data` holds what the
command line needs: the stable code, the hint and the exit code.
"""

from __future__ import annotations

from typing import Any

import msgspec

from zdriver.core.errors import Internal, InvalidInput, Unavailable, ZdriverError, from_code

#: The major version of what may be said. A daemon serves every client of its own.
PROTOCOL = 1

#: What a command line calls itself in `hello` when a person sees its stderr.
CLI = "cli"

#: Requests in one batch.
BATCH_MAX = 1000

Id = int | str | float | None


class Request(msgspec.Struct, frozen=True):
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: Id | msgspec.UnsetType = msgspec.UNSET  #: unset: a notification, never answered
    jsonrpc: str = "2.0"


class WithId(msgspec.Struct, frozen=True):
    """Whatever can be told of a broken request."""

    id: Id = None


class ErrorData(msgspec.Struct, frozen=True):
    code: str = "failed"
    hint: str = ""
    exit_code: int = 1


class ErrorBody(msgspec.Struct, frozen=True):
    code: int
    message: str
    data: ErrorData = ErrorData()


class Response(msgspec.Struct, frozen=True):
    """An answer, or (with `method`) a notification, as a client reads it."""

    id: Id = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorBody | None = None
    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"{}")


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `hello`."""

    protocol: int
    version: str  #: of the daemon's package
    build: str  #: of the daemon's files; see `zdriver.core.build`
    pid: int
    data_dir: str
    notices: tuple[str, ...] = ()  #: what a person should hear; told to one command line, once


class ParseError(InvalidInput):
    rpc_code = -32700


class InvalidRequest(InvalidInput):
    rpc_code = -32600


class UnknownMethod(Unavailable):
    rpc_code = -32601


_encode = msgspec.json.Encoder().encode


def result_line(id_: Id, result: bytes) -> bytes:
    """`result` is encoded already."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (_encode(id_), result)


def error_line(id_: Id, error: ZdriverError) -> bytes:
    body = ErrorBody(
        error.rpc_code, _clean(error.message), ErrorData(error.code, _clean(error.hint), error.exit_code)
    )
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}\n' % (_encode(id_), _encode(body))


def request_line(method: str, params: dict[str, Any], id_: Id | msgspec.UnsetType) -> bytes:
    """Without an id: a notification. Raises InvalidInput for text that is not UTF-8."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if id_ is not msgspec.UNSET:
        message["id"] = id_
    try:
        return _encode(message) + b"\n"
    except UnicodeEncodeError as error:
        raise InvalidInput(
            "something given is not valid UTF-8", hint="rename it, or convert it with iconv"
        ) from error


def as_error(body: ErrorBody) -> ZdriverError:
    """The peer's error as an exception of this program."""
    return from_code(body.data.code, body.message, body.data.hint)


def internal(error: BaseException) -> ZdriverError:
    """A defect, told without its traceback: that goes to the log."""
    return Internal(
        f"a defect of zdriver: {type(error).__name__}: {error}",
        hint="the daemon's log has the details; report it with the output of `zdriver doctor --report`",
    )


def _clean(text: str) -> str:
    """Lone surrogates (from file names that are not UTF-8) cannot be encoded."""
    return text.encode("utf-8", "backslashreplace").decode()
