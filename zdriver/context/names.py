"""What Zellij sessions are called now, and that no request goes by a name while it changes."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Names:
    """Many requests at a time, or one change. Neither is begun within another one.

    Without it a request that has looked up a session's name just before it is changed would find
    nothing under it a moment later, or begin a second context under the old one.
    """

    def __init__(self) -> None:
        #: What a Zellij session is called now: a shell keeps the name that it was started under.
        self.now: Callable[[str], str] = lambda zellij_session: zellij_session
        self._turn = threading.Condition()
        self._requests = 0
        self._changing = False

    @contextlib.contextmanager
    def steady(self) -> Iterator[None]:
        """For the time of one request, from asking for a name to the answer."""
        with self._turn:
            self._turn.wait_for(lambda: not self._changing)
            self._requests += 1
        try:
            yield
        finally:
            with self._turn:
                self._requests -= 1
                self._turn.notify_all()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Those under way are waited for, and those that come wait."""
        with self._turn:
            self._turn.wait_for(lambda: not self._changing)
            self._changing = True
            self._turn.wait_for(lambda: not self._requests)
        try:
            yield
        finally:
            with self._turn:
                self._changing = False
                self._turn.notify_all()


class Named(Protocol):
    names: Names


N = TypeVar("N", bound=Named)


def steady(method: Callable[Concatenate[N, P], T]) -> Callable[Concatenate[N, P], T]:
    """For a method that goes by a place: all of it is one request."""

    @functools.wraps(method)
    def answered(self: N, /, *args: P.args, **named: P.kwargs) -> T:
        with self.names.steady():
            return method(self, *args, **named)

    return answered
