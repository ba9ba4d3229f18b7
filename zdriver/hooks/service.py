"""Hooks of `.zdriver.toml`: what there is, what was approved. `HooksApi` on a store."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from zdriver.core.errors import Conflict, NotFound
from zdriver.git.repository import head_commit
from zdriver.hooks import repofile, rules
from zdriver.hooks.model import FILE, HOOKS, Hook, HookName, HookRun
from zdriver.storage.port import Event, Reading, Store, Transaction
from zdriver.worktrees.model import Repo, Worktree

#: Finds the worktree that a name means, from a folder.
Find = Callable[[str, str], tuple[Repo, Worktree]]
#: Ports and names of a worktree.
Environment = Callable[[Worktree, Repo], dict[str, str]]


class HooksService:
    """`HooksApi`. Thread-safe: all state is in the store and in the checkouts."""

    def __init__(self, store: Store, find: Find, environment: Environment) -> None:
        self._store = store
        self._find = find
        self._environment = environment

    def list(self, worktree: str = "", *, cwd: str = "") -> tuple[Hook, ...]:
        repo, found = self._find(worktree, cwd)
        return self._hooks(repo, found)

    def pending(self, worktree: str, hook: HookName, *, cwd: str = "") -> HookRun | None:
        name = rules.hook_name(hook)
        repo, found = self._find(worktree, cwd)
        for each in self._hooks(repo, found):
            if each.hook == name:
                return HookRun(
                    hook=each.hook,
                    worktree=each.worktree,
                    commands=each.commands,
                    text=each.text,
                    digest=each.digest,
                    approved=each.approved,
                    changed=each.changed,
                    reason=each.reason,
                    cwd=_folder(name, repo, found),
                    environment=self._environment(found, repo),
                )
        return None

    def approve(
        self, worktree: str, hook: HookName, *, digest: str, cwd: str = "", request: str = ""
    ) -> Hook:
        name = rules.hook_name(hook)
        repo, found = self._find(worktree, cwd)
        for each in self._hooks(repo, found):
            if each.hook == name:
                break
        else:
            raise NotFound(
                f"{found.name} has no hook {name} in its {FILE}",
                hint="zdriver worktree hooks list shows them",
            )
        if each.digest != digest:
            raise Conflict(
                f"the hook {name} of {found.name} is not the one that was shown: {each.file} has changed",
                hint="read it again: zdriver worktree hooks list",
            )
        return self._store.write(
            lambda tx: _approve(tx, repo, each),
            lock=[f"repo:{repo.id}"],
            request=request,
            digest=rules.asked("approve", repo.id, name, digest) if request else "",
            result=Hook,
        )

    def revoke(self, worktree: str, hook: HookName, *, cwd: str = "", request: str = "") -> int:
        name = rules.hook_name(hook)
        repo, _ = self._find(worktree, cwd)

        def unit(tx: Transaction) -> int:
            count = tx.run("hook.revoke", repo_id=repo.id, hook=name)
            if count:
                tx.emit(_event("hook.revoked", repo, name, count=count))
            return count

        return self._store.write(
            unit,
            lock=[f"repo:{repo.id}"],
            request=request,
            digest=rules.asked("revoke", repo.id, name) if request else "",
            result=int,
        )

    def _hooks(self, repo: Repo, worktree: Worktree) -> tuple[Hook, ...]:
        """In the order of a worktree's life. Raises InvalidInput, Unavailable."""
        wishes = repofile.wishes(worktree.path)
        if not wishes.hooks:
            return ()
        review = repofile.is_review(worktree)
        commit = (head_commit(worktree.path) or "none") if review else ""
        approved = self._store.read(lambda tx: _approved(tx, repo.id))
        made = []
        for hook in (name for name in HOOKS if name in wishes.hooks):
            commands = wishes.hooks[hook]
            digest = rules.digest(commands, commit)
            known = approved.get(hook, frozenset())
            made.append(
                Hook(
                    hook=hook,
                    worktree=worktree.name,
                    file=repofile.file(worktree.path),
                    line=wishes.lines[hook],
                    commands=commands,
                    text="\n".join(commands),
                    digest=digest,
                    approved=digest in known,
                    changed=bool(known) and digest not in known,
                    reason=_reason(worktree, commit) if review else "",
                )
            )
        return tuple(made)


def _reason(worktree: Worktree, commit: str) -> str:
    pull = worktree.pull_request
    what = f"pull request {pull.number}" if pull is not None else worktree.name
    return f"it runs code of {what}; what you approve is this commit of it, {commit[:8]}, and no other"


def _folder(hook: HookName, repo: Repo, worktree: Worktree) -> str:
    """Where it runs: in the worktree, and once that is gone in the trunk."""
    if hook != "post-remove":
        return worktree.path
    return next((each for each in (repo.trunk, repo.container) if os.path.isdir(each)), repo.git_dir)  # noqa: PTH112


def _approved(tx: Reading, repo_id: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for row in tx.all("hook.approvals", repo_id=repo_id):
        found.setdefault(row["hook"], set()).add(row["digest"])
    return {hook: frozenset(digests) for hook, digests in found.items()}


def _approve(tx: Transaction, repo: Repo, hook: Hook) -> Hook:
    if tx.run("hook.approve", repo_id=repo.id, hook=hook.hook, digest=hook.digest, at=tx.now()):
        tx.emit(_event("hook.approved", repo, hook.hook, digest=hook.digest, worktree=hook.worktree))
    return msgspec.structs.replace(hook, approved=True, changed=False)


def _event(type_: str, repo: Repo, hook: HookName, **more: object) -> Event:
    return Event(
        type=type_,
        aggregate=f"repo:{repo.id}",
        payload={"id": repo.id, "repo": repo.trunk or repo.git_dir, "hook": hook, **more},
    )
