"""`list` and `show`: every worktree of a repository, how it stands, who holds it, what it is for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from zdriver.claims.model import Claim
from zdriver.core.errors import ZdriverError
from zdriver.git import status
from zdriver.git.repository import worktree_top
from zdriver.storage.port import Reading
from zdriver.worktrees import rows
from zdriver.worktrees.model import Condition, Line, Repo, Worktree
from zdriver.worktrees.registry import Registry


class _Told(msgspec.Struct, frozen=True):
    """What the store says, by worktree's id; intents by path."""

    claims: dict[str, Claim]
    intents: dict[str, str]


def lines(registry: Registry, repo: Repo, *, cwd: str, conditions: bool) -> tuple[Line, ...]:
    """The trunk first, then by name; those that were made by other means last, with the id ""."""
    known, findings = registry.reconcile(repo, registry.seen(repo))
    foreign = registry.as_worktrees(repo, findings.foreign, known)
    return _lines(registry, repo, (*known, *foreign), findings.troubles, cwd, conditions=conditions)


def line(registry: Registry, repo: Repo, worktree: Worktree, *, cwd: str) -> Line:
    """One of them."""
    _, findings = registry.reconcile(repo, registry.seen(repo))
    now = registry.by_id(worktree.id)[1]
    return _lines(registry, repo, (now,), findings.troubles, cwd, conditions=True)[0]


def _lines(
    registry: Registry,
    repo: Repo,
    worktrees: Sequence[Worktree],
    troubles: dict[str, str],
    cwd: str,
    *,
    conditions: bool,
) -> tuple[Line, ...]:
    told = registry.store.read(lambda tx: _told(tx, registry, repo))
    asked = {each.path: base(each, repo) for each in worktrees if each.id not in troubles}
    states = status.states(asked) if conditions and asked else {}
    here = worktree_top(cwd)
    found = []
    for each in worktrees:
        state = states.get(each.path)
        trouble = troubles.get(each.id, "")
        condition = None
        if isinstance(state, ZdriverError):
            trouble = state.message
        elif state is not None:
            condition = _condition(state)
            if not state.base_known and asked[each.path]:
                trouble = f"its base {asked[each.path]} is not there any more"
        found.append(
            Line(
                worktree=each,
                condition=condition,
                trouble=trouble,
                claim=told.claims.get(each.id),
                intent=told.intents.get(each.path, ""),
                current=each.path == here,
            )
        )
    return tuple(found)


def base(worktree: Worktree, repo: Repo) -> str:
    """What it is compared with; the trunk with nothing."""
    return "" if worktree.trunk else worktree.base or repo.default_branch


def _told(tx: Reading, registry: Registry, repo: Repo) -> _Told:
    held = {row["id"]: rows.claim(row) for row in tx.all("worktree.lines", repo_id=repo.id, now=tx.now())}
    said = tx.all("worktree.intents", repo_id=repo.id, host=registry.host)
    return _Told(
        claims={id_: claim for id_, claim in held.items() if claim is not None},
        intents={row["root"]: row["text"] for row in said},
    )


def _condition(state: status.State) -> Condition:
    return Condition(
        head=state.head,
        staged=state.staged,
        changed=state.changed,
        untracked=state.untracked,
        conflicted=state.conflicted,
        ahead=state.ahead,
        behind=state.behind,
        upstream=state.upstream,
        upstream_ahead=state.up_ahead,
        upstream_behind=state.up_behind,
        operation=state.operation,
    )
