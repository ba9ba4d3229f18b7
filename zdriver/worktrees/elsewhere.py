"""What other machines have of a repository, where several share one store.

Clones of one remote are one repository (`forges.urls.identity`); their worktrees of one name are the
same work. Each machine makes, changes and removes only its own; here others' are looked at.
"""

from __future__ import annotations

import socket

from zdriver.forges.urls import identity
from zdriver.storage.port import Reading, Row, Store, Transaction
from zdriver.worktrees import rows
from zdriver.worktrees.model import Line, Repo


def introduce(store: Store, host: str) -> None:
    """Say how this machine is called, and what its repositories are clones of. Writes only what changed.

    Repositories were noted without that where they were known before the store was shared.
    """
    name = socket.gethostname()

    def look(tx: Reading) -> tuple[bool, list[dict[str, str]]]:
        known = tx.one("host.named", id=host)
        given = [(row, identity(row["remote"])) for row in tx.all("host.repos", host=host)]
        changed = [{"id": row["id"], "identity": now} for row, now in given if row["identity"] != now]
        return known is None or known["name"] != name, changed

    renamed, changed = store.read(look)

    def unit(tx: Transaction) -> None:
        if renamed:
            tx.run("host.put", id=host, name=name, at=tx.now())
        for each in changed:
            tx.run("host.identify", **each)

    if renamed or changed:
        store.write(unit, lock=[f"host:{host}"])


def identified(tx: Transaction, repo: Repo) -> None:
    """What the repository is a clone of, within the transaction that registers it."""
    tx.run("host.identify", id=repo.id, identity=identity(repo.remote))


def lines(store: Store, repo: Repo, name: str = "") -> tuple[Line, ...]:
    """Other clones' worktrees, by machine, the trunk first; only those called `name`, if that is given."""

    def unit(tx: Reading) -> tuple[list[Row], list[Row]]:
        found = tx.all("host.elsewhere", repo_id=repo.id, name=name, now=tx.now())
        return found, tx.all("host.elsewhere_intents", repo_id=repo.id) if found and not name else []

    found, said = store.read(unit)
    intents = {(row["host"], row["root"]): row["text"] for row in said}
    return tuple(_line(row, intents.get((row["host"], row["path"]), "")) for row in found)


def _line(row: Row, intent: str) -> Line:
    there = rows.repo({**row, "id": row["repo_id"]})
    return Line(
        worktree=rows.worktree(row, there),
        claim=rows.claim(row),
        intent=intent,
        host=row["hostname"] or row["host"],
    )


def words(found: tuple[Line, ...]) -> tuple[str, ...]:
    """What is said to who makes a worktree that others have as well."""
    return tuple(
        f"{each.worktree.name} is on {each.host}, too"
        + (f", held by {each.claim.agent}" if each.claim is not None else "")
        for each in found
    )
