"""Ports: each worktree its own, unique on this machine, the same as long as it lives."""

from __future__ import annotations

import errno
import hashlib
import socket
from collections.abc import Callable, Iterator

from zdriver.core.config import Ports
from zdriver.core.errors import Unavailable
from zdriver.storage.port import Reading, Store, Transaction
from zdriver.worktrees.model import Repo, Worktree

#: Ports in use by others that are looked at before giving up.
_LOOKS = 500


def is_free(port: int) -> bool:
    """Whether a program could listen there now, on every address of this machine, IPv4 and IPv6."""
    return _bindable(socket.AF_INET, "0.0.0.0", port) and _bindable(socket.AF_INET6, "::", port)


def _bindable(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            # A connection that has just ended is in nobody's way; who listens still is.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address, port))
    except OSError as error:
        # A machine may have been built or set up without IPv6: then nobody listens there.
        return error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
    return True


def candidates(seed: str, first: int, last: int) -> Iterator[int]:
    """Every port of the range once, beginning at one that `seed` decides.

    So a worktree that is made again tends to get the port that it had.
    """
    count = last - first + 1
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % count
    for step in range(count):
        yield first + (start + step) % count


class Leases:
    """The table of leases, and the range they are given from."""

    def __init__(
        self, store: Store, *, host: str, ports: Ports, is_free: Callable[[int], bool] = is_free
    ) -> None:
        self._store = store
        self._host = host
        self._ports = ports
        self._is_free = is_free

    def held(self, worktree_id: str) -> dict[str, int]:
        """Port by variable."""
        return self._store.read(lambda tx: _held(tx, worktree_id))

    def lease(self, worktree: Worktree, repo: Repo, variables: tuple[str, ...]) -> dict[str, int]:
        """A port for each variable that has none yet; all it holds now, by variable.

        Raises Unavailable when the range has no free one left; what was leased stays.
        """
        held = self.held(worktree.id)
        for variable in variables:
            if variable not in held:
                held = self._lease_one(worktree, f"{repo.git_dir}\0{worktree.name}\0{variable}", variable)
        return held

    def free(self, worktree_id: str) -> int:
        """Give all of its ports back; how many there were."""
        return self._store.write(lambda tx: tx.run("port.free", worktree_id=worktree_id), urgent=True)

    def _lease_one(self, worktree: Worktree, seed: str, variable: str) -> dict[str, int]:
        first, last = self._ports.first, self._ports.last
        self._store.write(lambda tx: tx.run("port.free_removed", host=self._host))
        rows = self._store.read(lambda tx: tx.all("port.taken", host=self._host))
        taken = {row["port"] for row in rows}
        looks = 0
        for port in candidates(seed, first, last) if first <= last else ():
            if port in taken:
                continue
            looks += 1
            if looks > _LOOKS:
                break
            if not self._is_free(port):
                continue
            held = self._store.write(_unit(self._host, port, worktree.id, variable), lock=["ports"])
            if variable in held:  # this port, or the one that somebody leased for it meanwhile
                return held
        raise Unavailable(
            f"no port from {first} to {last} is free for {variable}",
            hint="widen ports.first and ports.last (zdriver config edit), or remove worktrees",
        )


def _held(tx: Reading, worktree_id: str) -> dict[str, int]:
    return {row["variable"]: row["port"] for row in tx.all("port.of_worktree", worktree_id=worktree_id)}


def _unit(host: str, port: int, worktree_id: str, variable: str) -> Callable[[Transaction], dict[str, int]]:
    def unit(tx: Transaction) -> dict[str, int]:
        tx.run("port.lease", host=host, port=port, worktree_id=worktree_id, variable=variable, at=tx.now())
        return _held(tx, worktree_id)

    return unit
