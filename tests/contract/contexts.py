"""Contexts on a store, and what is said in them: for tests."""

from __future__ import annotations

from zdriver.context.model import Intent, Place
from zdriver.context.service import ContextService
from zdriver.storage.port import Store

HERE = Place(cwd="/w/one")


def contexts_of(store: Store) -> ContextService:
    """Every folder below /w is a worktree of its own."""
    return ContextService(store, host="host", roots=_worktree, head=lambda root: None)


def _worktree(folder: str) -> str | None:
    return "/".join(folder.split("/")[:3]) if folder.startswith("/w/") else None


def current(contexts: ContextService, place: Place) -> Intent:
    """The one that there has to be now."""
    found = contexts.intent(place=place)
    assert found is not None, place
    return found
