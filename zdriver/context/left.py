"""What was left on another machine, as the nouns of this one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zdriver.context.model import Context, Intent, Milestone

if TYPE_CHECKING:
    from zdriver.hot.model import HotView


def intent(view: HotView | None, root: str) -> Intent | None:
    if view is None or view.intent is None:
        return None
    told = view.intent
    return Intent(
        id=told.id, text=told.text, source=told.source, set_at=told.at, context=_context(view, root)
    )


def milestones(view: HotView | None, root: str) -> list[Milestone]:
    """Newest first."""
    return (
        []
        if view is None
        else [
            Milestone(
                id=each.id,
                text=each.text,
                kind=each.kind,
                artifacts=each.artifacts,
                commit=each.commit,
                recorded_at=each.at,
                intent_id=None,
                source=each.source,
                context=_context(view, root),
            )
            for each in view.milestones
        ]
    )


def _context(view: HotView, root: str) -> Context:
    """Where it stands is said by the name of its Zellij session: `work@host`."""
    return Context(id=view.id, zellij_session=view.label, root=root)
