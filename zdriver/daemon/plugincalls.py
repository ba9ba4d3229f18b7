"""What a plugin asks of the daemon: the *up* requests of docs/bridge.md."""

from __future__ import annotations

from typing import Literal

import msgspec

from zdriver.context.api import ContextApi, SnapshotApi
from zdriver.context.model import Entry, Kind, Place, SnapshotInfo
from zdriver.context.opening import Openings
from zdriver.context.restoring import RestoreService
from zdriver.core.errors import InvalidInput
from zdriver.daemon.live import LiveSession
from zdriver.daemon.places import place_of
from zdriver.daemon.plugintrees import LIST_MAX, TreeCalls
from zdriver.zellij.messages import Message, decode


class _Text(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    pane: int | None = None
    kind: Kind = "milestone"
    request: str = ""  #: idempotency key: the plugin asks again when it lost the answer


class _Query(msgspec.Struct, frozen=True, kw_only=True):
    query: str = ""
    limit: int = 50


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    choice: Literal["restore", "dismiss", "undo"]
    generation: int = 0


class PluginCalls:
    def __init__(
        self,
        contexts: ContextApi,
        snapshots: SnapshotApi,
        openings: Openings,
        restores: RestoreService,
        trees: TreeCalls,
    ) -> None:
        self._contexts = contexts
        self._snapshots = snapshots
        self._openings = openings
        self._restores = restores
        self._trees = trees

    def serve(self, session: LiveSession, message: Message) -> object:
        """One request of a plugin. Raises what the service raises."""
        if message.method == "plugin.ping":
            return {}
        if message.method == "plugin.set_intent":
            given = decode(message.params, _Text)
            return self._contexts.set_intent(
                given.text, place=place_of(session, given.pane), request=given.request
            )
        if message.method == "plugin.record_milestone":
            given = decode(message.params, _Text)
            return self._contexts.record_milestone(
                given.text, place=place_of(session, given.pane), kind=given.kind, request=given.request
            )
        if message.method == "plugin.history":
            return self._history(decode(message.params, _Query))
        if message.method == "plugin.snapshots":
            return self._candidates(session)
        if message.method == "plugin.choose":
            return self._choose(session, decode(message.params, _Choice))
        if message.method == "plugin.worktrees":
            return self._trees.list(session, message.params)
        if message.method == "plugin.add_worktree":
            return self._trees.add(session, message.params)
        if message.method == "plugin.open_tab":
            return self._trees.open(session, message.params)
        raise InvalidInput(f"this daemon does not know {message.method}", hint="update zdriver")

    def _history(self, asked: _Query) -> list[Entry]:
        return self._contexts.history(asked.query, limit=max(1, min(asked.limit, LIST_MAX)))

    def _candidates(self, session: LiveSession) -> tuple[SnapshotInfo, ...]:
        return self._snapshots.list(root=session.root, limit=50)

    def _choose(self, session: LiveSession, asked: _Choice) -> object:
        place = Place(cwd=session.root, zellij_session=session.zellij_session)
        if asked.choice == "undo":
            return self._restores.undo(place=place)
        if asked.choice == "dismiss":
            self._openings.dismissed(session, asked.generation)
            session.look_again()
            return None
        return self._openings.chosen(session, asked.generation)
