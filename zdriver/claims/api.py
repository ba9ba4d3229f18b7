"""What can be asked of claims: the same in-process, over the socket and on the wire.

`name` is a worktree's full name, a unique short one, or a path; `cwd`, `agent` and `request` are
filled in by a client when they are left empty. Who may not have it hears a Conflict that says who
holds it, since when and until when.
"""

from __future__ import annotations

from typing import Protocol

from zdriver.claims.model import Claim, Turn


class ClaimsApi(Protocol):
    """Service name: `claims`. `zdriver.claims.client.Claims` adds waiting and holding to it."""

    def claim(
        self,
        name: str,
        *,
        lease: float = 0.0,
        pid: int = 0,
        session: str = "",
        cwd: str = "",
        agent: str = "",
        request: str = "",
    ) -> Claim:
        """Hold it for `lease` seconds (0: 30 minutes), from now on when `agent` holds it already.

        `pid`: of the process that will `beat`. Raises Conflict, NotFound, InvalidInput.
        """
        ...

    def queue(
        self,
        name: str,
        *,
        ticket: str = "",
        lease: float = 0.0,
        seconds: float = 20.0,
        pid: int = 0,
        session: str = "",
        cwd: str = "",
        agent: str = "",
    ) -> Turn:
        """Wait for it, at most `seconds` (20) at a time.

        Asked again with the answer's `ticket` within 30 s, the place in the queue is kept. First
        come, first served. Raises NotFound, InvalidInput.
        """
        ...

    def leave(self, id: str) -> Claim | None:
        """Give up the place in the queue that a ticket names, or the claim with that id.

        The claim that ended by it; None when there was none.
        """
        ...

    def beat(self, id: str, *, lease: float = 0.0) -> Claim:
        """From its holder: another `lease` seconds (0: as before) from now on.

        Raises Conflict when it is lost, and says to whom and why.
        """
        ...

    def renew(
        self,
        name: str,
        *,
        token: int = 0,
        lease: float = 0.0,
        cwd: str = "",
        agent: str = "",
        request: str = "",
    ) -> Claim:
        """The same by name. Never shortens it. Raises Conflict, NotFound."""
        ...

    def release(
        self, name: str, *, token: int = 0, cwd: str = "", agent: str = "", request: str = ""
    ) -> Claim:
        """End it; who waits gets it. Raises Conflict, and NotFound when nobody holds it."""
        ...

    def take(
        self,
        name: str,
        *,
        reason: str,
        lease: float = 0.0,
        pid: int = 0,
        session: str = "",
        cwd: str = "",
        agent: str = "",
        request: str = "",
    ) -> Claim:
        """Hold it whoever held it, who hears `reason`; the queue stays. Raises NotFound, InvalidInput."""
        ...

    def check(self, name: str, *, token: int = 0, cwd: str = "", agent: str = "") -> Claim | None:
        """May `agent` write there? The claim, or None when nobody holds it.

        Raises Conflict when another holds it, and when `token` (0: none given) is not that of the
        claim that holds now.
        """
        ...

    def list(
        self, name: str = "", *, all: bool = False, limit: int = 100, cwd: str = ""
    ) -> tuple[Claim, ...]:
        """Who holds what, everywhere or of one worktree, newest first; `all`: ended ones too."""
        ...
