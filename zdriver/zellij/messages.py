"""One line of a bridge, either way: JSON-RPC 2.0 (docs/bridge.md)."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from zdriver.core.errors import Conflict, Unavailable, ZdriverError

T = TypeVar("T")


class Error(msgspec.Struct):
    code: int = -32000
    message: str = ""


class Message(msgspec.Struct, kw_only=True):
    """One line of either direction: a request, a notification or an answer."""

    id: int | str | None = None
    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"{}")
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Error | msgspec.UnsetType = msgspec.UNSET


_METHOD_NOT_FOUND = -32601

parse = msgspec.json.Decoder(Message).decode
_encode = msgspec.json.Encoder().encode


def line(method: str, params: object, id_: int | None = None) -> bytes:
    body: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params}
    if id_ is not None:
        body["id"] = id_
    return _encode(body) + b"\n"


def result_line(id_: int | str, result: object) -> bytes:
    return _encode({"jsonrpc": "2.0", "id": id_, "result": result}) + b"\n"


def error_line(id_: int | str, error: ZdriverError) -> bytes:
    body = {
        "code": error.rpc_code,
        "message": error.message,
        "data": {"code": error.code, "hint": error.hint, "exit_code": error.exit_code},
    }
    return _encode({"jsonrpc": "2.0", "id": id_, "error": body}) + b"\n"


def as_error(error: Error) -> ZdriverError:
    if error.code == Conflict.rpc_code:
        return Conflict(error.message)
    older = error.code == _METHOD_NOT_FOUND or "unknown variant" in error.message
    hint = "it is older than this zdriver: `zdriver setup zellij`, then open Zellij again" if older else ""
    return Unavailable(f"the plugin says: {error.message}", hint=hint)


def decode(params: msgspec.Raw, kind: type[T]) -> T:
    """A call's parameters as `kind`. Raises Unavailable when they are not."""
    try:
        return msgspec.json.decode(params, type=kind)
    except msgspec.MsgspecError as error:
        raise Unavailable(f"the plugin sent what this daemon does not know: {error}") from error
