"""A network of machines: one network namespace each, joined to ours by a pair of virtual devices.

Where namespaces cannot be made (no root, or a container that forbids it), the machines are homes,
runtime folders and host ids of their own on this machine's loopback.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self


def _ip(*words: str) -> None:
    """ip(8). Raises CalledProcessError, and FileNotFoundError where it is not installed."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Network:
    """`count` machines. `server` is the address at which each of them finds ours, by number."""

    def __init__(self, count: int) -> None:
        tag = f"{os.getpid() % 10_000}{random.choice('abcdefghij')}"
        self.names = [f"zd{tag}{number}" for number in range(count)]
        # RFC 2544: for tests of networks, and used by nobody else.
        self._subnet = f"198.18.{random.randrange(256)}"
        self.apart = False  #: whether each has a namespace of its own

    def server(self, number: int) -> str:
        return f"{self._subnet}.{4 * number + 1}" if self.apart else "127.0.0.1"

    @property
    def addresses(self) -> list[str]:
        """All at which a server has to listen."""
        return ["127.0.0.1", *(self.server(each) for each in range(len(self.names)) if self.apart)]

    @property
    def range(self) -> str:
        return f"{self._subnet}.0/24"

    def entering(self, number: int) -> Sequence[str]:
        """What a command is begun with, to run on that machine."""
        return ("ip", "netns", "exec", self.names[number]) if self.apart else ()

    def __enter__(self) -> Self:
        try:
            for number, name in enumerate(self.names):
                self._make(number, name)
        except (subprocess.CalledProcessError, OSError):
            self._remove()
            return self
        self.apart = True
        return self

    def _make(self, number: int, name: str) -> None:
        ours, theirs = (f"{self._subnet}.{4 * number + each}/30" for each in (1, 2))
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "up0", "netns", name)
        _ip("address", "add", ours, "dev", name)
        _ip("link", "set", name, "up")
        _ip("-n", name, "address", "add", theirs, "dev", "up0")
        _ip("-n", name, "link", "set", "up0", "up")
        _ip("-n", name, "link", "set", "lo", "up")

    def _remove(self) -> None:
        for name in self.names:
            for words in (("link", "delete", name), ("netns", "delete", name)):
                # Of a network that could not be made some of them are not there.
                with suppress(subprocess.CalledProcessError, OSError):
                    _ip(*words)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()
