"""What zellij-driver's panes tell, as contexts of ours: pure decisions.

A pane had a history of its own; here it belongs to the folder that the pane stood in, in its Zellij
session. So several panes may tell one story.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from uuid import UUID, uuid5

import msgspec

from zdriver.context import layout as ours
from zdriver.context import rules
from zdriver.context.model import Kind, Source
from zdriver.core.errors import InvalidInput
from zdriver.importing.imi import moment
from zdriver.importing.model import Unread
from zdriver.importing.zellij_driver import Entry, Found, Pane, PaneShown, Shown, TabShown

_SPACE = UUID("5bd8a9a2-54b0-5d3c-8c5e-0f7d3f5e2c11")
_KINDS: Mapping[str, Kind] = {
    "milestone": "milestone",
    "checkpoint": "checkpoint",
    "exploration": "exploration",
}
_SOURCES: Mapping[str, Source] = {"manual": "manual", "automated": "automated", "agent": "agent"}


#: Folder → top of its worktree, else the folder, links resolved.
RootOf = Callable[[str], str]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A milestone to be."""

    id: str  #: made from theirs: taken over again, it is known
    text: str
    kind: Kind
    source: Source
    artifacts: tuple[str, ...]
    at: datetime


class Story(msgspec.Struct, kw_only=True):
    """A context to be."""

    root: str
    zellij_session: str
    steps: list[Step] = []
    intent: str = ""
    intent_id: str = ""
    intent_at: datetime | None = None


def stories(found: Found, root_of: RootOf) -> list[Story]:
    """By root and session. What cannot be taken over is added to `found.unread`."""
    made: dict[tuple[str, str], Story] = {}
    folders = _folders(found.snapshots)
    for pane in found.panes:
        cwd = pane.cwd or folders.get((pane.session, pane.name), "")
        if not (pane.entries or pane.last_intent):
            continue
        if not _is_folder(cwd):
            reason = "its folder is not known" if not cwd else "its folder is no absolute path"
            found.unread.append(Unread(what=f"pane {pane.name}", reason=reason))
            continue
        root, session = root_of(cwd), _one_line(pane.session)
        story = made.setdefault((root, session), Story(root=root, zellij_session=session))
        story.steps += _steps(pane, found)
        _take_intent(story, pane)
    for story in made.values():
        story.steps.sort(key=lambda step: step.at)
    return [made[key] for key in sorted(made)]


def _is_folder(path: str) -> bool:
    return path.startswith("/") and "\0" not in path and len(path) <= rules.ARTIFACT_MAX


def _folders(snapshots: Iterable[Shown]) -> dict[tuple[str, str], str]:
    """(session, pane) → folder, of the newest snapshot that has it."""
    newest_last = sorted(snapshots, key=lambda each: each.created_at)
    return {
        (shown.session, pane.name): pane.cwd
        for shown in newest_last
        for tab in shown.tabs
        for pane in tab.panes
        if pane.cwd
    }


def _steps(pane: Pane, found: Found) -> list[Step]:
    steps = []
    for entry in pane.entries:
        try:
            steps.append(_step(pane, entry))
        except (ValueError, InvalidInput) as error:
            what = f"pane {pane.name}, entry {_one_line(entry.id)}"
            found.unread.append(Unread(what=what, reason=str(error)))
    return steps


def _step(pane: Pane, entry: Entry) -> Step:
    """Raises InvalidInput, ValueError."""
    at = moment(entry.timestamp)
    if at is None:
        raise ValueError("its time is none")
    text = f"{entry.summary} ({entry.goal_delta})" if entry.goal_delta else entry.summary
    return Step(
        id=str(uuid5(_SPACE, f"{pane.name}\0{entry.id}")),
        text=rules.sentence(text, "milestone"),
        kind=_KINDS.get(entry.entry_type, "checkpoint"),
        source=_SOURCES.get(entry.source, "manual"),
        artifacts=rules.artifacts(tuple(each for each in entry.artifacts if each.strip())),
        at=at,
    )


def _take_intent(story: Story, pane: Pane) -> None:
    """The newest one of its panes."""
    at = moment(pane.last_intent_at)
    if at is None or not pane.last_intent.strip() or (story.intent_at and story.intent_at >= at):
        return
    try:
        story.intent = rules.sentence(pane.last_intent, "intent")
    except InvalidInput:
        return
    story.intent_at, story.intent_id = at, str(uuid5(_SPACE, f"{pane.name}\0intent\0{pane.last_intent_at}"))


def layout(shown: Shown) -> ours.Layout:
    """Its panes side by side, or one above the other, as its tabs say; the sizes were never kept."""
    return ours.Layout(tabs=tuple(_tab(tab) for tab in sorted(shown.tabs, key=lambda tab: tab.index)))


def _tab(tab: TabShown) -> ours.Tab:
    panes = tuple(_pane(each) for each in sorted(tab.panes, key=lambda pane: pane.position))
    tiled: tuple[ours.Pane | ours.Split, ...] = panes
    if len(panes) > 1:
        stacked = tab.layout.lower() == "horizontal"
        tiled = (ours.Split(direction="horizontal" if stacked else "vertical", children=panes),)
    return ours.Tab(name=_one_line(tab.name), focus=tab.active, tiled=tiled)


def _pane(pane: PaneShown) -> ours.Pane:
    try:
        command = tuple(shlex.split(pane.command or ""))
    except ValueError:  # a quote without its other one: it never ran like that
        command = ()
    cwd = pane.cwd if pane.cwd and _is_folder(pane.cwd) else ""
    name = "" if pane.name == "unnamed" else _one_line(pane.name)
    return ours.Pane(name=name, cwd=cwd, command=command, focus=pane.focused)


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]
