"""What scripts have as `driver.claims`: the service, with waiting and holding added.

with driver.claims.hold("feat-user-auth", agent="claude-1") as held:
    …                 # beats in the background; held.token is the fencing token
    held.check()      # raises Conflict once the claim was lost
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from zdriver.claims import rules
from zdriver.claims.api import ClaimsApi
from zdriver.claims.holding import AGAIN, Held
from zdriver.claims.model import Claim, Turn
from zdriver.core import caller
from zdriver.core.errors import Conflict, InvalidInput, Unavailable, ZdriverError
from zdriver.core.ids import new_id

#: A second way to the same service, for a thread of its own.
Another = Callable[[], AbstractContextManager[ClaimsApi]]
LONGEST_WAIT = 7 * 86_400.0


class Claims:
    """`patience`: seconds that one call may wait in the daemon."""

    def __init__(self, api: ClaimsApi, another: Another, *, patience: float = rules.ASK) -> None:
        self._api = api
        self._another = another
        self._patience = min(patience, rules.ASK)
        #: The hot path goes straight to the service.
        self.check = api.check
        self.list = api.list
        self.beat = api.beat
        self.leave = api.leave
        self.queue = api.queue
        self.renew = api.renew
        self.release = api.release
        self.take = api.take

    def claim(
        self,
        name: str,
        *,
        lease: float = 0.0,
        wait: float = 0.0,
        pid: int = 0,
        session: str = "",
        cwd: str = "",
        agent: str = "",
        waiting: Callable[[Turn], None] = lambda _turn: None,
    ) -> Claim:
        """Hold it for `lease` seconds; wait for it up to `wait` seconds, first come, first served.

        `waiting` is told, once, what there is to wait for. Raises Conflict (another has it, still),
        NotFound, InvalidInput.
        """
        if not 0 <= wait <= LONGEST_WAIT:
            raise InvalidInput(f"{wait:g} s cannot be waited", hint="give 0 seconds to 7 days, in seconds")
        agent, cwd = agent or caller.agent(), cwd or caller.cwd()
        if not wait:
            return self._api.claim(name, lease=lease, pid=pid, session=session, cwd=cwd, agent=agent)
        end, ticket, told = time.monotonic() + wait, new_id(), False
        try:
            while True:
                # The first call only looks, so that who waits can be told for what.
                left = max(0.0, end - time.monotonic()) if told else 0.0
                ask = partial(
                    self._api.queue, name, ticket=ticket, lease=lease, seconds=min(left, self._patience),
                    pid=pid, session=session, cwd=cwd, agent=agent,
                )  # fmt: skip
                turn = _insisting(ask) if told else ask()
                ticket = turn.ticket
                if turn.claim is not None:
                    return turn.claim
                if told and time.monotonic() >= end:
                    break
                if not told:
                    waiting(turn)
                told = True
        except BaseException:
            with contextlib.suppress(ZdriverError):
                self._api.leave(ticket)
            raise
        self._api.leave(ticket)
        return self._api.claim(name, lease=lease, pid=pid, session=session, cwd=cwd, agent=agent)

    @contextmanager
    def hold(
        self,
        name: str,
        *,
        lease: float = rules.BEATEN,
        wait: float = 0.0,
        session: str = "",
        cwd: str = "",
        agent: str = "",
        force: str = "",
        lost: Callable[[ZdriverError], None] = lambda _error: None,
        waiting: Callable[[Turn], None] = lambda _turn: None,
    ) -> Iterator[Held]:
        """Hold it as long as the block runs; beats come from a thread. Released whatever happens.

        `force` is the reason to take it over from whoever holds it. `lost` is called, in that thread,
        when the claim is lost; `held.check()` raises then, and so does the end of the block. What the
        agent held before is not released: whoever claimed it does that.
        """
        lease = lease or rules.BEATEN
        if force:
            claim = self._api.take(
                name, reason=force, lease=lease, pid=os.getpid(), session=session, cwd=cwd, agent=agent
            )
        else:
            claim = self.claim(
                name, lease=lease, wait=wait, pid=os.getpid(), session=session, cwd=cwd, agent=agent,
                waiting=waiting,
            )  # fmt: skip
        held = Held(claim, self._another, lost, lease=lease)
        try:
            with held:
                yield held
        finally:
            if held.lost is None and not claim.again:
                with contextlib.suppress(Conflict):
                    self._api.leave(claim.id)
        held.check()


def _insisting(ask: Callable[[], Turn]) -> Turn:
    """A daemon that goes is asked again, as long as the place in the queue is kept. Raises ZdriverError."""
    end = time.monotonic() + rules.KEPT
    while True:
        try:
            return ask()
        except Unavailable:
            if time.monotonic() > end:
                raise
            time.sleep(AGAIN)
