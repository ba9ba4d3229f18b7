"""`ImportsApi`: what another tool knows is taken over by the registry, each worktree whole or not at all."""

from __future__ import annotations

import os
import socket
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from zdriver.claims.model import Claim
from zdriver.context.model import Context
from zdriver.context.resolving import Found as ContextFound
from zdriver.context.resolving import event as context_event
from zdriver.context.resolving import open_at, open_context
from zdriver.context.rows import context as context_of
from zdriver.core.clock import to_datetime, to_us
from zdriver.core.errors import InvalidInput, ZdriverError
from zdriver.core.ids import new_id
from zdriver.core.tokens import search_words
from zdriver.git.repository import worktree_top
from zdriver.importing import imi, mapping, zellij_driver
from zdriver.importing.contexts import Contexts, Record
from zdriver.importing.imi import Activity, Found, Tree
from zdriver.importing.mapping import Step
from zdriver.importing.model import Imported, ImportedContexts, Taken, Unread
from zdriver.storage.port import Transaction
from zdriver.worktrees import rows, rules
from zdriver.worktrees.model import Repo, Worktree, WorktreeType
from zdriver.worktrees.registry import Registry


class AddType(Protocol):
    def __call__(self, name: str, *, description: str = "") -> WorktreeType: ...


class ClaimFor(Protocol):
    def __call__(self, name: str, *, cwd: str, agent: str) -> Claim: ...


class ImportsService:
    def __init__(self, registry: Registry, add_type: AddType, claim: ClaimFor, record: Record) -> None:
        self._registry = registry
        self._record = record
        self._add_type = add_type
        self._claim = claim

    def imi(self, path: str, *, dry_run: bool = False) -> Imported:
        if not path.startswith("/") or "\0" in path:
            raise InvalidInput(f"{path!r} is not an absolute path", hint="give the whole path")
        found = imi.read(Path(path))
        for container in {Path(each.path).parent for each in found.trees if each.path.startswith("/")}:
            if str(container / imi.FOLDER / "registry.toml") not in found.sources:
                imi.read_container(container, found)
        return _Import(self._registry, self._add_type, self._claim, found, dry_run=dry_run).run()

    def zellij_driver(self, url: str, *, dry_run: bool = False) -> ImportedContexts:
        found = zellij_driver.read(url)
        taking = Contexts(self._registry.store, self._registry.host, self._record, _root_of)
        return taking.take(found, zellij_driver.shown(url), dry_run=dry_run)


def _root_of(cwd: str) -> str:
    return worktree_top(cwd) or os.path.realpath(cwd)


class _Import:
    """One call: what was found, and what became of it."""

    def __init__(
        self, registry: Registry, add_type: AddType, claim: ClaimFor, found: Found, *, dry_run: bool
    ) -> None:
        self._registry = registry
        self._add_type = add_type
        self._claim = claim
        self._found = found
        self._dry_run = dry_run
        self._now = to_datetime(registry.store.read(lambda tx: tx.now()))
        self._types = {each.name for each in registry.types()}
        self._added: list[str] = []
        self._foreign: dict[str, dict[str, Worktree]] = {}
        self._registered: dict[str, set[str]] = {}
        self._activities: dict[str, list[Activity]] = defaultdict(list)
        for each in found.activities:
            self._activities[each.worktree_id].append(each)
        self._bases = {each.name: each.default_branch for each in found.repositories}

    def run(self) -> Imported:
        taken: list[Taken] = []
        known = 0
        for tree in self._found.trees:
            try:
                there = self._take(tree)
            except ZdriverError as error:
                self._unread(tree, error.message)
                continue
            if isinstance(there, Taken):
                taken.append(there)
            known += there is True
        return Imported(
            sources=tuple(self._found.sources),
            worktrees=tuple(taken),
            types=tuple(self._added),
            known=known,
            unread=tuple(self._found.unread),
            dry_run=self._dry_run,
        )

    def _unread(self, tree: Tree, reason: str) -> None:
        self._found.unread.append(Unread(what=tree.path or tree.worktree_name, reason=reason))

    def _take(self, tree: Tree) -> Taken | bool:
        """True: it is registered already; False: it is not taken. Raises ZdriverError."""
        if not tree.path.startswith("/") or "\0" in tree.path:
            self._unread(tree, "its path is not absolute")
            return False
        if not os.path.isdir(tree.path):  # noqa: PTH112 their path is text, and may be anything
            if tree.active:  # else it was removed there, and that is all there is to say
                self._unread(tree, "its folder is gone")
            return False
        path = os.path.realpath(tree.path)
        if worktree_top(path) != path:
            self._unread(tree, "it is not the top of a git worktree")
            return False
        repo = self._registry.repo(path)
        foreign, registered = self._known(repo)
        if path in registered:
            return True
        if path not in foreign:
            self._unread(tree, f"git does not list it as a worktree of {repo.trunk or repo.git_dir}")
            return False
        if mapping.is_trunk(tree) and path == repo.trunk:
            return True
        return self._adopt(tree, repo, foreign.pop(path))

    def _known(self, repo: Repo) -> tuple[dict[str, Worktree], set[str]]:
        """Worktrees made by other means, by path; paths of those that are registered. Git is asked once."""
        if repo.id not in self._foreign:
            known, foreign = self._registry.reconciled(repo)
            self._foreign[repo.id] = {each.path: each for each in foreign}
            self._registered[repo.id] = {each.path for each in known} | {repo.trunk}
        return self._foreign[repo.id], self._registered[repo.id]

    def _adopt(self, tree: Tree, repo: Repo, foreign: Worktree) -> Taken:
        type_ = self._typed(tree, foreign)
        presence = imi.presence(tree, self._found)
        agent = _one_line(presence.agent_id if presence is not None else "") or _one_line(tree.agent_id)
        made = msgspec.structs.replace(
            foreign,
            id=new_id(),
            type=type_,
            base=mapping.base_of(tree, self._bases, repo.default_branch),
            agent=agent,
            created_at=imi.moment(tree.created_at) or foreign.created_at,
            used_at=imi.moment(tree.updated_at) or foreign.used_at,
            pull_request=mapping.pull_request(tree, type_),
        )
        steps = mapping.steps(self._activities.get(tree.id, ()))
        if not self._dry_run:
            self._write(made, repo, steps)
        self._registered[repo.id].add(made.path)
        claimed = mapping.at_work(presence, hostname=socket.gethostname(), now=self._now)
        return Taken(
            name=made.name,
            type=type_,
            branch=made.branch,
            path=made.path,
            repo=made.repo,
            agent=agent,
            claimed=claimed and self._held(made, agent),
            milestones=len(steps),
        )

    def _typed(self, tree: Tree, foreign: Worktree) -> str:
        """Its type there, made one of ours if need be; else what its name says."""
        type_ = mapping.type_of(tree)
        if type_ == rules.OTHER:
            return foreign.type
        if type_ not in self._types:
            about = {each.name.lower(): each.description for each in self._found.types}
            description = _one_line(about.get(type_, "") or "from iMi")[:200]
            if not self._dry_run:
                self._add_type(type_, description=description)
            self._types.add(type_)
            self._added.append(type_)
        return type_

    def _held(self, made: Worktree, agent: str) -> bool:
        if self._dry_run:
            return True
        try:
            self._claim(made.name, cwd=made.path, agent=agent)
        except ZdriverError as error:
            self._found.unread.append(Unread(what=f"the claim on {made.path}", reason=error.message))
            return False
        return True

    def _write(self, made: Worktree, repo: Repo, steps: tuple[Step, ...]) -> None:
        def unit(tx: Transaction) -> None:
            if tx.one("worktree.at_path", host=self._registry.host, path=made.path) is not None:
                return
            rows.insert(tx, made, repo, at=tx.now())
            tx.run("import.times", id=made.id, created_at=to_us(made.created_at), used_at=to_us(made.used_at))
            tx.emit(rows.event("worktree.adopted", made, agent=made.agent, imported_from="iMi"))
            if steps:
                _record(tx, steps, made, self._registry.host)

        self._registry.store.write(unit, lock=[f"repo:{repo.id}"])


def _record(tx: Transaction, steps: tuple[Step, ...], at: Worktree, host: str) -> None:
    """Steps that were reached there, in the context of the worktree outside of Zellij."""
    row = open_at(tx, host, "", at.path)
    there: Context | None = None if row is None else context_of(row)
    context = open_context(tx, ContextFound(context=there, zellij_session="", root=at.path), host)
    for step in steps:
        id_ = new_id()
        artifacts = msgspec.json.encode(step.artifacts).decode()
        added = tx.one(
            "entry.add", id=id_, context_id=context.id, type="milestone", text=step.text, source="agent",
            at=to_us(step.at), kind="milestone", artifacts=artifacts, commit_id=None, intent_id=None,
        )  # fmt: skip
        assert added is not None
        tx.run("search.add", seq=added["seq"], words=search_words(step.text, step.artifacts))
        payload = {"text": step.text, "kind": "milestone", "artifacts": step.artifacts, "source": "agent"}
        when = _iso(step.at)
        tx.emit(context_event("milestone.recorded", context, id_, **payload, at=when, imported_from="iMi"))


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]
