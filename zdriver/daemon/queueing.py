"""`claims.queue` over the socket: who waits in a call is seen to be there, or gone."""

from __future__ import annotations

from zdriver.claims.model import Turn
from zdriver.claims.rules import ASK
from zdriver.claims.service import ClaimsService
from zdriver.rpc.methods import MethodTable
from zdriver.rpc.server import Connection


class Queueing:
    def __init__(self, claims: ClaimsService) -> None:
        self._claims = claims

    def register(self, table: MethodTable) -> None:
        table.add_function("claims.queue", self.queue, wants_connection=True)

    def queue(
        self,
        connection: Connection,
        name: str,
        *,
        ticket: str = "",
        lease: float = 0.0,
        seconds: float = ASK,
        pid: int = 0,
        session: str = "",
        cwd: str = "",
        agent: str = "",
    ) -> Turn:
        """As `ClaimsApi` declares it; it ends early when the connection does, or the daemon."""
        return self._claims.queue(
            name,
            ticket=ticket,
            lease=lease,
            seconds=seconds,
            pid=pid,
            session=session,
            cwd=cwd,
            agent=agent,
            line=connection.fileno(),
        )
