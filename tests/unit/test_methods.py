"""The method table: JSON-RPC 2.0 as its specification has it, and our errors in `data`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.core.errors import NotFound
from zdriver.rpc.methods import MethodTable


class Point(msgspec.Struct, frozen=True, kw_only=True):
    x: int
    y: int = 0


class ShopApi(Protocol):
    def add(self, first: int, second: int = 1) -> int: ...

    def move(self, *, point: Point, by: tuple[int, ...] = ()) -> Point: ...

    def at(self, moment: datetime | None = None) -> datetime | None: ...

    def lose(self) -> None: ...

    def crash(self) -> None: ...

    def _private(self) -> None: ...


class Shop:
    def add(self, first: int, second: int = 1) -> int:
        return first + second

    def move(self, *, point: Point, by: tuple[int, ...] = ()) -> Point:
        return Point(x=point.x + sum(by), y=point.y)

    def at(self, moment: datetime | None = None) -> datetime | None:
        return moment

    def lose(self) -> None:
        raise NotFound("no such thing", hint="look elsewhere")

    def crash(self) -> None:
        raise KeyError("oops")

    def _private(self) -> None: ...


def _table() -> MethodTable:
    table = MethodTable()
    table.add("shop", ShopApi, Shop())
    table.add_function("whoami", whoami, wants_connection=True)
    return table


def whoami(connection: object, loud: bool = False) -> str:
    return str(connection).upper() if loud else str(connection)


TABLE = _table()


def ask(message: object, connection: object = None) -> Any:
    line = message if isinstance(message, bytes) else msgspec.json.encode(message)
    answer = TABLE.answer(line, connection)
    assert answer == b"" or (answer.endswith(b"\n") and answer.count(b"\n") == 1)
    return msgspec.json.decode(answer) if answer else None


def call(method: str, **params: Any) -> Any:
    return ask({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})


def test_names_are_service_and_method_without_private_ones() -> None:
    assert TABLE.names() == ["shop.add", "shop.at", "shop.crash", "shop.lose", "shop.move", "whoami"]


def test_parameters_by_name_with_defaults() -> None:
    assert call("shop.add", first=2) == {"jsonrpc": "2.0", "id": 7, "result": 3}
    assert call("shop.add", first=2, second=5)["result"] == 7


def test_structs_tuples_and_times_are_decoded_from_the_annotations() -> None:
    assert call("shop.move", point={"x": 1}, by=[2, 3])["result"] == {"x": 6, "y": 0}
    assert call("shop.at", moment="2026-01-02T03:04:05Z")["result"] == "2026-01-02T03:04:05Z"
    assert call("shop.at")["result"] is None


def test_the_connection_goes_first_where_it_is_wanted() -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "whoami", "params": {"loud": True}}
    assert ask(asked, "me")["result"] == "ME"


@pytest.mark.parametrize("id_", ["a", 0, -5, 1.5, None])
def test_the_id_comes_back_as_it_was(id_: object) -> None:
    answer = ask({"jsonrpc": "2.0", "id": id_, "method": "shop.add", "params": {"first": 1}})
    assert answer == {"jsonrpc": "2.0", "id": id_, "result": 2}


def test_a_notification_is_done_and_not_answered() -> None:
    assert ask({"jsonrpc": "2.0", "method": "shop.add", "params": {"first": 1}}) is None
    assert ask({"jsonrpc": "2.0", "method": "no.such"}) is None


@pytest.mark.parametrize(
    ("message", "code", "id_"),
    [
        (b"{", -32700, None),
        (b"\xff\xfe", -32700, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"shop.add","params":{"first":', -32700, None),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, -32700, None),
        (b"1", -32600, None),
        (b'"text"', -32600, None),
        (b"{}", -32600, None),
        (b'{"id":4}', -32600, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":5}', -32600, 4),
        (b'{"jsonrpc":"1.0","id":4,"method":"shop.add"}', -32600, 4),
        (b'{"jsonrpc":"2.0","id":{},"method":"shop.add"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":4,"method":"no.such"}', -32601, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":"shop._private"}', -32601, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":"shop.add"}', -32602, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":"shop.add","params":[1]}', -32602, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":"shop.add","params":{"first":"1"}}', -32602, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":"shop.add","params":{"first":1,"third":1}}', -32602, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":"shop.add","params":{"first":9223372036854775808}}', -32602, 4),
        (b'{"jsonrpc":"2.0","id":4,"method":"shop.at","params":{"moment":"soon"}}', -32602, 4),
        (b"[]", -32600, None),
        (b"[1", -32700, None),
        (b"[" * 100_000, -32700, None),
    ],
)
def test_what_is_wrong_is_told_by_the_specified_code(message: bytes, code: int, id_: object) -> None:
    answer = ask(message)
    assert (answer["error"]["code"], answer["id"]) == (code, id_)
    assert answer["error"]["data"]["exit_code"] in (2, 5)


def test_our_errors_carry_code_hint_and_exit_code() -> None:
    assert call("shop.lose")["error"] == {
        "code": -32004,
        "message": "no such thing",
        "data": {"code": "not_found", "hint": "look elsewhere", "exit_code": 3},
    }


def test_a_defect_is_an_internal_error_and_nothing_more() -> None:
    error = call("shop.crash")["error"]
    assert error["code"] == -32603
    assert error["data"]["code"] == "internal"
    assert "Traceback" not in error["message"]


def test_a_batch_is_answered_as_one_array_without_its_notifications() -> None:
    asked = {"jsonrpc": "2.0", "method": "shop.add", "params": {"first": 1}}
    answers = ask([{**asked, "id": 1}, asked, {**asked, "id": 2}, 5, {"id": 3}])
    assert [(a["id"], a.get("result"), a.get("error", {}).get("code")) for a in answers] == [
        (1, 2, None),
        (2, 2, None),
        (None, None, -32600),
        (3, None, -32600),
    ]
    assert ask([asked, asked]) is None
    assert ask([asked] * 1001)["error"]["code"] == -32600


def test_a_parameter_without_a_type_is_a_mistake_of_ours() -> None:
    class Loose:
        def anything(self, value):  # type: ignore[no-untyped-def]  # that is the point
            ...

    with pytest.raises(KeyError):
        MethodTable().add("loose", Loose, Loose())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "method", "params", "x"]), inner),
)


@given(st.binary(max_size=200) | _JSON.map(msgspec.json.encode))
def test_whatever_is_sent_there_is_an_answer_and_never_an_exception(line: bytes) -> None:
    answer = ask(line.replace(b"\n", b" "))
    answers = answer if isinstance(answer, list) else [answer] if answer is not None else []
    for one in answers:
        assert one["jsonrpc"] == "2.0"
        assert ("result" in one) != ("error" in one)
