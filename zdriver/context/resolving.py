"""Which context a command means.

1. the one it names, by id or by a unique end of the id;
2. inside a git worktree: the worktree's, in this Zellij session (or outside of any);
3. elsewhere in a Zellij session: the folder's, if it has one, else that of the session's root;
4. else the folder's.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from zdriver.context import rows, rules
from zdriver.context.model import Context, Place
from zdriver.core.errors import Ambiguous, Conflict, InvalidInput, NotFound
from zdriver.core.ids import new_id, short
from zdriver.storage.port import Event, Reading, Row, Transaction

#: Absolute folder → top of its worktree, or None.
Roots = Callable[[str], str | None]


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """A Place after asking the file system: it stays the same however often a unit runs."""

    named: str = ""  #: id or end of one
    zellij_session: str = ""
    root: str = ""  #: top of the worktree, else the folder
    worktree: bool = False


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The context meant; `context` is None where there is none yet."""

    context: Context | None
    zellij_session: str
    root: str
    closed: bool = False


def spot(place: Place, roots: Roots) -> Spot:
    """Raises InvalidInput when nothing says where."""
    if place.context:
        return Spot(named=place.context, zellij_session=place.zellij_session)
    if not place.cwd:
        if not place.zellij_session:
            raise InvalidInput(
                "neither a folder nor a context was named",
                hint="give --context ID; zdriver history shows ids",
            )
        return Spot(zellij_session=place.zellij_session)
    if not place.cwd.startswith("/") or "\0" in place.cwd:
        raise InvalidInput(f"the folder {place.cwd!r} is not an absolute path", hint="give its whole path")
    top = roots(place.cwd)
    return Spot(
        zellij_session=place.zellij_session,
        root=top or os.path.realpath(place.cwd),
        worktree=top is not None,
    )


def find(reading: Reading, where: Spot, host: str) -> Found:
    """Raises NotFound, Ambiguous, InvalidInput."""
    if where.named:
        row = named(reading, where.named)
        return Found(
            context=rows.context(row),
            zellij_session=row["zellij_session"],
            root=row["root"],
            closed=row["closed_at"] is not None,
        )
    at = open_at(reading, host, where.zellij_session, where.root) if where.root else None
    root = where.root
    if at is None and where.zellij_session and not where.worktree:
        known = reading.one("context.session_root", host=host, zellij_session=where.zellij_session)
        if known is not None:
            root = known["root"]
            at = open_at(reading, host, where.zellij_session, root)
    if not root:
        raise InvalidInput(
            f"the folder of the Zellij session {where.zellij_session!r} is not known",
            hint="run the command in a folder, or give --context ID",
        )
    return Found(
        context=None if at is None else rows.context(at), zellij_session=where.zellij_session, root=root
    )


def open_at(reading: Reading, host: str, zellij_session: str, root: str) -> Row | None:
    return reading.one("context.open_at", host=host, zellij_session=zellij_session, root=root)


def named(reading: Reading, given: str) -> Row:
    """The row of the context with this id or end of an id. Raises NotFound, Ambiguous."""
    end = rules.id_end(given)
    exact = reading.one("context.by_id", id=end) if end else None
    if exact is not None:
        return exact
    found = reading.all("context.by_end", end=end) if end else []
    if not found:
        raise NotFound(
            f"there is no context {given!r}", hint="zdriver history --json shows the ids of contexts"
        )
    if len(found) > 1:
        raise Ambiguous(
            f"{given!r} ends several contexts: {', '.join(short(row['id']) for row in found[:5])}",
            hint="give more of the id",
        )
    return found[0]


def open_context(tx: Transaction, found: Found, host: str) -> Context:
    """The context to write to, made when there is none. Raises Conflict when it is closed."""
    if found.closed:
        raise Conflict(
            f"the context of {found.root} was closed", hint="leave out --context to use the open one there"
        )
    if found.context is not None:
        return found.context
    made = Context(id=new_id(), zellij_session=found.zellij_session, root=found.root)
    tx.run(
        "context.add", id=made.id, host=host, zellij_session=made.zellij_session, root=made.root, at=tx.now()
    )
    return made


def event(type_: str, of: Context, id_: str, /, **payload: object) -> Event:
    """An event about `id_` in the order of its context."""
    return Event(
        type=type_,
        aggregate=f"context:{of.id}",
        payload={
            "id": id_,
            **payload,
            "context": {"id": of.id, "zellij_session": of.zellij_session, "root": of.root},
        },
    )


def locks(where: Spot, host: str) -> list[str]:
    """What a write there reads first, for engines with several writers."""
    if where.named:
        return [f"context:{where.named}"]
    return [f"session:{host}/{where.zellij_session}", f"root:{host}/{where.root}"]
