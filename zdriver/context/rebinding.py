"""A Zellij session died and its panes came back in another, or it got another name: its contexts follow."""

from __future__ import annotations

from zdriver.context import resolving, rows
from zdriver.context.model import Context
from zdriver.storage.port import Transaction


def rebind(tx: Transaction, old: str, new: str, root: str, host: str) -> list[Context]:
    """The contexts that now carry on in `new`. With `root` only the one there.

    Where `new` has an open one at the same root already: if an intent was set in it, the
    user has moved on, and the old one is closed; else its milestones join the old one.
    """
    if old == new:
        return []
    carried = []
    for row in tx.all("context.open_in", host=host, zellij_session=old):
        if root and row["root"] != root:
            continue
        there = resolving.open_at(tx, host, new, row["root"])
        if there is not None and tx.one("entry.current_intent", context_id=there["id"]) is not None:
            _close(tx, rows.context(row), instead=there["id"])
            continue
        if there is not None:
            tx.run("entry.adopt", context_id=there["id"], into=row["id"])
            _close(tx, rows.context(there), instead=row["id"])
        tx.run("context.move", id=row["id"], zellij_session=new)
        moved = Context(id=row["id"], zellij_session=new, root=row["root"])
        tx.emit(resolving.event("context.restored", moved, moved.id, from_zellij_session=old))
        carried.append(moved)
    return carried


def rename(tx: Transaction, old: str, new: str, host: str) -> list[Context]:
    """A Zellij session that lives is called `new` from now on; its contexts, which go along.

    What an earlier session of that name left open at one of its roots is closed.
    """
    if old == new:
        return []
    moved = []
    for row in tx.all("context.open_in", host=host, zellij_session=old):
        there = resolving.open_at(tx, host, new, row["root"])
        if there is not None:
            _close(tx, rows.context(there), instead=row["id"])
        tx.run("context.move", id=row["id"], zellij_session=new)
        context = Context(id=row["id"], zellij_session=new, root=row["root"])
        tx.emit(resolving.event("context.renamed", context, context.id, from_zellij_session=old))
        moved.append(context)
    return moved


def _close(tx: Transaction, context: Context, *, instead: str) -> None:
    tx.run("context.close", id=context.id, at=tx.now())
    tx.emit(resolving.event("context.closed", context, context.id, instead=instead))
