"""Which ports are looked at, and whether one is free."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.hooks.leasing import candidates, is_free


@given(st.text(), st.integers(1024, 2048), st.integers(0, 50))
def test_every_port_of_the_range_once(seed: str, first: int, more: int) -> None:
    found = list(candidates(seed, first, first + more))
    assert sorted(found) == list(range(first, first + more + 1))
    assert found == list(candidates(seed, first, first + more))


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::"),
    ],
)
def test_where_somebody_listens_it_is_not_free(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.bind((address, 0))
        sock.listen()
        port = sock.getsockname()[1]
        assert not is_free(port)


def test_a_connection_that_has_ended_is_in_nobodys_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            served, _ = server.accept()
            served.close()  # this side closes first: its end stays in TIME_WAIT
            assert client.recv(1) == b""
    assert is_free(port)
