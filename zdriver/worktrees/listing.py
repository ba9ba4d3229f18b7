"""`list` and `show`: every worktree of a repository, how it stands, who holds it, what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from zdriver.claims.model import Claim
from zdriver.core.errors import ZdriverError
from zdriver.git import status
from zdriver.git.repository import worktree_top
from zdriver.storage.port import Reading
from zdriver.worktrees import rows
from zdriver.worktrees.model import Condition, Line, Repo, Worktree
from zdriver.worktrees.reconciling import Seen
from zdriver.worktrees.registry import Registry

#: By path: how it stands, or why git could not say.
States = dict[str, status.State | ZdriverError]


class _Told(msgspec.Struct, frozen=True):
    """What the store says, by worktree's id; intents by path."""

    claims: dict[str, Claim]
    intents: dict[str, str]


def lines(registry: Registry, repo: Repo, *, cwd: str, conditions: bool) -> tuple[Line, ...]:
    """The trunk first, then by name; those that were made by other means last, with the id ""."""
    if conditions:
        seen, states = _looked(registry, repo)
    else:
        seen, states = registry.seen(repo), None
    known, findings = registry.reconcile(repo, seen)
    foreign = registry.as_worktrees(repo, findings.foreign, known)
    return _lines(registry, repo, (*known, *foreign), findings.troubles, cwd, states)


def _looked(registry: Registry, repo: Repo) -> tuple[tuple[Seen, ...], States]:
    """What git lists, and beside that how those stand that are registered: most often it is all of them."""
    asked = {each.path: base(each, repo) for each in registry.worktrees(repo) if each.state == "ready"}
    with ThreadPoolExecutor(1, "zdriver-list") as beside:
        seen = beside.submit(registry.seen, repo)
        states = status.states(asked) if asked else {}
        return seen.result(), states


def line(registry: Registry, repo: Repo, worktree: Worktree, *, cwd: str) -> Line:
    """One of them."""
    _, findings = registry.reconcile(repo, registry.seen(repo))
    now = registry.by_id(worktree.id)[1]
    return _lines(registry, repo, (now,), findings.troubles, cwd, {})[0]


def _lines(
    registry: Registry,
    repo: Repo,
    worktrees: Sequence[Worktree],
    troubles: dict[str, str],
    cwd: str,
    looked: States | None,
) -> tuple[Line, ...]:
    """looked: states that are known already; None: nobody asks for them."""
    told = registry.store.read(lambda tx: _told(tx, registry, repo))
    asked = {each.path: base(each, repo) for each in worktrees if each.id not in troubles}
    states = _states(asked, looked) if looked is not None else {}
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


def _states(asked: dict[str, str], looked: States) -> States:
    """Of all that are asked for: git is asked for those that nobody looked at yet."""
    missing = {path: base for path, base in asked.items() if path not in looked}
    found = {path: looked[path] for path in asked if path in looked}
    return found | status.states(missing) if missing else found


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
