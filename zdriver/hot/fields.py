"""A view as the fields of a hash, and back. Pure.

`intent`, `milestones`, `panes`, `root`, `host` and `updated_at` are for everybody to read; the
others are what zdriver needs to bring a context back on another machine. What is read may have
been written by anybody: it is checked as if a user had typed it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from zdriver.context import rules
from zdriver.context.layout import Layout
from zdriver.core.errors import InvalidInput
from zdriver.hot.model import HotIntent, HotMilestone, HotPane, HotView, Site

LAYOUT_MAX = 1 << 20  #: bytes of a layout that are read and written
MILESTONES_MAX = 50
PANES_MAX = 500
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PATH_MAX = 4096


class NoView(ValueError):
    """The fields are not of a context that zdriver wrote."""


def to_fields(view: HotView) -> dict[str, str | bytes]:
    """Every field, so that none is left of the version before."""
    intent = view.intent
    layout = b"" if view.layout is None else msgspec.json.encode(view.layout)
    fits = len(layout) <= LAYOUT_MAX
    return {
        "intent": intent.text if intent else "",
        "milestones": msgspec.json.encode(view.milestones[:MILESTONES_MAX]),
        "panes": msgspec.json.encode(view.panes[:PANES_MAX]),
        "root": view.site.root,
        "host": view.host_name,
        "updated_at": _text(view.updated_at),
        "version": str(view.version),
        "user": view.site.user,
        "host_id": view.site.host,
        "home": view.home,
        "remote": view.site.remote,
        "branch": view.site.branch,
        "site": view.site.key,
        "zellij_session": view.zellij_session,
        "parent": view.parent,
        "intent_id": intent.id if intent else "",
        "intent_at": _text(intent.at) if intent else "",
        "intent_source": intent.source if intent else "",
        "layout": layout if fits else b"",
        "taken_at": _text(view.taken_at) if view.taken_at and fits else "",
    }


def from_fields(id_: str, fields: Mapping[bytes, bytes]) -> HotView:
    """Raises NoView."""
    try:
        text = {name.decode(): value.decode() for name, value in fields.items() if name != b"layout"}
        if not _ID.fullmatch(id_):
            raise NoView("its id is none")
        view = HotView(
            id=id_,
            version=int(text["version"]),
            site=Site(
                user=text["user"],
                host=text["host_id"],
                root=_absolute(text["root"]),
                remote=text.get("remote", ""),
                branch=text.get("branch", ""),
            ),
            host_name=_name(text["host"]),
            home=text.get("home", ""),
            zellij_session=_name(text.get("zellij_session", "")),
            updated_at=_moment(text["updated_at"]),
            intent=_intent(text),
            milestones=tuple(_milestones(text.get("milestones", ""))),
            panes=_decoded(text.get("panes", ""), tuple[HotPane, ...]) or (),
            layout=_layout(fields.get(b"layout", b"")),
            taken_at=_moment(text["taken_at"]) if text.get("taken_at") else None,
            parent=text.get("parent", ""),
        )
    except NoView:
        raise
    except (KeyError, ValueError, InvalidInput) as error:
        raise NoView(f"{type(error).__name__}: {error}") from error
    return view


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without a time zone")
    return found


def _absolute(path: str) -> str:
    if not path.startswith("/") or "\0" in path or len(path) > _PATH_MAX:
        raise ValueError("its root is no absolute path")
    return path


def _name(text: str) -> str:
    """A host's or a session's, shown in a terminal: printable and short."""
    return "".join(character for character in text if character.isprintable())[:200]


def _intent(text: Mapping[str, str]) -> HotIntent | None:
    if not text.get("intent"):
        return None
    return HotIntent(
        id=_entry_id(text["intent_id"]),
        text=rules.sentence(text["intent"], "intent"),
        at=_moment(text["intent_at"]),
        source=rules.source(text.get("intent_source", "manual")),
    )


def _milestones(text: str) -> Sequence[HotMilestone]:
    found = _decoded(text, tuple[HotMilestone, ...]) or ()
    return [
        msgspec.structs.replace(
            each,
            id=_entry_id(each.id),
            text=rules.sentence(each.text, "milestone"),
            kind=rules.kind(each.kind),
            artifacts=rules.artifacts(each.artifacts),
            source=rules.source(each.source),
        )
        for each in found[:MILESTONES_MAX]
        if each.at.tzinfo is not None
    ]


def _entry_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("the id of an entry is none")
    return text


def _layout(data: bytes) -> Layout | None:
    if not data or len(data) > LAYOUT_MAX:
        return None
    return msgspec.json.decode(data, type=Layout)


def _decoded(text: str, kind: Any) -> Any:
    return msgspec.json.decode(text, type=kind) if text else None
