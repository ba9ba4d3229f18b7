"""Which repositories and worktrees there are: the store's rows, and which one a caller means."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from zdriver.core import caller, requests
from zdriver.core.clock import now_us, to_datetime
from zdriver.core.errors import Conflict, InvalidInput, NotFound
from zdriver.core.ids import new_id
from zdriver.git.repository import worktree_top
from zdriver.git.tops import top_and_git_dir
from zdriver.storage.host import host_id
from zdriver.storage.port import Reading, Row, Store, Transaction
from zdriver.worktrees import elsewhere, reconciling, rows, rules
from zdriver.worktrees.model import Repo, Worktree, WorktreeType
from zdriver.worktrees.names import key
from zdriver.worktrees.reconciling import Findings, Seen


class Registry:
    """Repositories and worktrees of this machine. Thread-safe: all state is in the store."""

    def __init__(
        self, store: Store, *, host: str | None = None, path: Callable[[], str] = lambda: ""
    ) -> None:
        """path: the setting `worktrees.path` as it is now. Raises Unavailable as `host_id` does."""
        self.store = store
        self.host = host_id() if host is None else host
        self._path = path

    # ---- repositories -------------------------------------------------------------------

    def repo(self, cwd: str = "") -> Repo:
        """The repository that `cwd` (absolute; "": the current folder) lies in, or whose container it
        lies in; registered at its first use. Raises NotFound outside of one.
        """
        folder = _text(cwd or caller.cwd())
        place = top_and_git_dir(folder)
        if place is not None and (known := self._known_repo(place[1])) is not None:
            return known
        try:
            return self._registered(folder)
        except NotFound:
            if (known := self._of_container(folder)) is not None:
                return known
            raise

    def repo_by_id(self, id_: str) -> Repo:
        row = self.store.read(lambda tx: tx.one("worktree.repo_by_id", id=id_))
        if row is None:
            raise NotFound(f"there is no repository {id_!r}", hint="zdriver worktree list registers one")
        return rows.repo(row)

    def _known_repo(self, git_dir: str) -> Repo | None:
        row = self.store.read(lambda tx: tx.one("worktree.repo", host=self.host, git_dir=git_dir))
        return None if row is None else rows.repo(row)

    def _of_container(self, folder: str) -> Repo | None:
        """Where one stands in a container, or in its sync/, beside the worktrees."""
        path = os.path.realpath(folder)

        def unit(tx: Reading) -> list[Row]:
            for each in (path, *map(str, Path(path).parents)):
                if found := tx.all("worktree.repos_in", host=self.host, container=each):
                    return found
            return []

        found = self.store.read(unit)
        return rows.repo(found[0]) if len(found) == 1 else None

    def _registered(self, folder: str) -> Repo:
        """Asks git, and writes what it says. Raises NotFound."""
        from zdriver.git import repos

        found = repos.find(folder)
        made = Repo(
            id=new_id(),
            git_dir=found.git_dir,
            trunk=found.trunk,
            container=os.path.realpath(
                rules.container(
                    self._path(),
                    trunk=found.trunk,
                    git_dir=found.git_dir,
                    home=os.path.expanduser("~"),  # noqa: PTH111 as text
                )
            ),
            remote=found.remote,
            default_branch=found.default_branch,
        )
        return self.store.write(
            lambda tx: self._register(tx, made), lock=[f"repo:{self.host}/{made.git_dir}"]
        )

    def _register(self, tx: Transaction, made: Repo) -> Repo:
        row = tx.one("worktree.repo", host=self.host, git_dir=made.git_dir)
        now = tx.now()
        if row is not None:
            # Worktrees and sync/ stay where they are, whatever the configuration says by now.
            kept = msgspec.structs.replace(made, id=row["id"], container=row["container"])
            if kept != rows.repo(row):
                tx.run("worktree.repo_change", **_columns(kept, "git_dir"), at=now)
            made = kept
        else:
            tx.run("worktree.repo_add", **_columns(made), host=self.host, at=now)
        if self.store.shared:
            elsewhere.identified(tx, made)
        if made.trunk and not any(
            each["type"] == rules.TRUNK for each in tx.all("worktree.live", repo_id=made.id)
        ):
            self._add_trunk(tx, made)
        return made

    def _add_trunk(self, tx: Transaction, repo: Repo) -> None:
        own = Path(repo.trunk).name
        name = own if own.startswith(f"{rules.TRUNK}-") else rules.TRUNK
        now = tx.now()
        trunk = Worktree(
            id=new_id(),
            repo=repo.trunk,
            name=name,
            type=rules.TRUNK,
            title=name,
            branch=repo.default_branch,
            base="",
            path=repo.trunk,
            state="ready",
            created_at=to_datetime(now),
            used_at=to_datetime(now),
            trunk=True,
        )
        rows.insert(tx, trunk, repo, at=now)

    def refreshed(self, repo: Repo) -> Repo:
        """The same, asked of git anew: a default branch may have been renamed."""
        return self._registered(repo.trunk or repo.git_dir)

    # ---- worktrees ----------------------------------------------------------------------

    def worktrees(self, repo: Repo) -> tuple[Worktree, ...]:
        """All that are not removed, the trunk first."""
        found = self.store.read(lambda tx: tx.all("worktree.live", repo_id=repo.id))
        return tuple(rows.worktree(row, repo) for row in found)

    def by_id(self, id_: str) -> tuple[Repo, Worktree]:
        """Removed ones, too. Raises NotFound."""
        row = self.store.read(lambda tx: tx.one("worktree.by_id", id=id_))
        if row is None:
            raise NotFound(f"there is no worktree with the id {id_!r}")
        repo = self.repo_by_id(row["repo_id"])
        return repo, rows.worktree(row, repo)

    def find(self, name: str = "", cwd: str = "") -> tuple[Repo, Worktree]:
        """The worktree that `name` means: a full name, a unique short one, a path; "": where `cwd` is.

        The store alone answers for what is registered. One that was made by other means is taken
        into the registry. Raises NotFound, Ambiguous; Conflict for one that is not made yet.
        """
        repo, found = self._find(name, cwd or caller.cwd())
        if found.state == "creating":
            raise Conflict(
                f"{found.name} is being made, or was killed at that",
                hint="wait for it, or settle it with zdriver worktree repair",
            )
        return repo, found

    def _find(self, name: str, cwd: str) -> tuple[Repo, Worktree]:
        if not name:
            return self._at(cwd)
        try:
            repo = self.repo(cwd)
        except NotFound:
            if "/" not in name:
                raise
            return self._at(_absolute(name, cwd))
        if (whole := self.named(repo, name)) is not None:
            return repo, whole
        known = self.worktrees(repo)
        if (found := rules.named(name, known)) is not None:
            return repo, found
        if "/" in name or name in (".", ".."):
            path = _absolute(name, cwd)
            # `src/app` is no worktree, but a mistyped branch: unless it is the top of one.
            if os.path.isdir(path) and (rules.is_path(name) or os.path.lexists(f"{path}/.git")):  # noqa: PTH112 - in the way of every command
                return self._at(path)
        known, foreign = self.reconciled(repo)
        if (found := rules.named(name, (*known, *foreign))) is None:
            others = elsewhere.lines(self.store, repo, name) if self.store.shared else ()
            raise rules.unknown(name, (*known, *foreign), others)
        return repo, found if found.id else self.take_in(repo, found)

    def named(self, repo: Repo, name: str) -> Worktree | None:
        """Of that whole name: a hundred others need not be read for it."""
        if not name.isprintable():  # no worktree is called so, and not all of it can be asked of a store
            return None
        row = self.store.read(lambda tx: tx.one("worktree.named", repo_id=repo.id, name=name))
        return None if row is None else rows.worktree(row, repo)

    def _at(self, folder: str) -> tuple[Repo, Worktree]:
        repo = self.repo(folder)
        top = worktree_top(folder)
        for each in self.worktrees(repo):
            if each.path == top:
                return repo, each
        known, foreign = self.reconciled(repo)
        for each in (*known, *foreign):
            if each.path == top:
                return repo, each if each.id else self.take_in(repo, each)
        raise NotFound(
            f"{folder} is in no worktree of {repo.trunk or repo.git_dir}",
            hint="name one: `zdriver worktree list` shows them",
        )

    def unfinished(self) -> bool:
        """Whether something on this machine is being made or removed, or was killed at that."""
        return bool(self.store.read(lambda tx: tx.all("worktree.unfinished", host=self.host)))

    # ---- what was done behind its back --------------------------------------------------

    def reconciled(self, repo: Repo) -> tuple[tuple[Worktree, ...], tuple[Worktree, ...]]:
        """(registered ones, those made by other means), after `reconcile`."""
        known, findings = self.reconcile(repo, self.seen(repo))
        return known, self.as_worktrees(repo, findings.foreign, known)

    def seen(self, repo: Repo) -> tuple[Seen, ...]:
        """`git worktree list`. Raises what git's layer raises."""
        from zdriver.git import worktrees

        return tuple(
            Seen(
                path=os.path.realpath(each.path),
                branch=each.branch,
                head=each.head,
                there=Path(each.path).is_dir(),
                bare=each.bare,
                locked=each.locked,
            )
            for each in worktrees.listed(repo.git_dir)
        )

    def reconcile(self, repo: Repo, seen: tuple[Seen, ...]) -> tuple[tuple[Worktree, ...], Findings]:
        """Registered worktrees as they are now, and what was found. What changed is written."""
        known = self.worktrees(repo)
        findings = self._compare(known, seen)
        if findings.to_write():
            findings = self.store.write(
                lambda tx: self._write_findings(tx, repo, seen), lock=[f"repo:{repo.id}"]
            )
            known = self.worktrees(repo)
        return known, findings

    def _compare(self, known: tuple[Worktree, ...], seen: tuple[Seen, ...]) -> Findings:
        return reconciling.compare(known, seen, [each.path for each in known if os.path.lexists(each.path)])

    def _write_findings(self, tx: Transaction, repo: Repo, seen: tuple[Seen, ...]) -> Findings:
        # Compared anew: a creation or removal may have ended since git was asked. What began since
        # is not `ready`, so it is left alone.
        known = tuple(rows.worktree(row, repo) for row in tx.all("worktree.live", repo_id=repo.id))
        findings = self._compare(known, seen)
        by_id = {each.id: each for each in known}
        for id_, path in findings.moved.items():
            tx.run("worktree.moved", id=id_, path=path)
            tx.emit(rows.event("worktree.moved", by_id[id_], to=path))
        for id_, branch in findings.switched.items():
            tx.run("worktree.switched", id=id_, branch=branch)
        for each in findings.gone:
            if tx.run("worktree.gone", id=each.id, at=tx.now()):
                tx.emit(rows.event("worktree.removed", each, reason="removed by other means"))
        return findings

    def as_worktrees(
        self, repo: Repo, foreign: Iterable[Seen], known: Iterable[Worktree]
    ) -> tuple[Worktree, ...]:
        """Those made by other means, as they would be registered; their ids are ""."""
        taken = {key(each.name) for each in known}
        types = self.types()
        made = []
        for seen in foreign:
            own = Path(seen.path).name
            name = own
            for number in range(2, len(taken) + 3):
                if key(name) not in taken:
                    break
                name = f"{own}-{number}"
            taken.add(key(name))
            at = to_datetime(_changed_us(seen.path))
            made.append(
                Worktree(
                    id="",
                    repo=repo.trunk or repo.git_dir,
                    name=name,
                    type=rules.guess_type(own, seen.branch, types),
                    title=own,
                    branch=seen.branch,
                    base=repo.default_branch,
                    path=seen.path,
                    state="ready",
                    created_at=at,
                    used_at=at,
                )
            )
        return tuple(made)

    def take_in(self, repo: Repo, foreign: Worktree, *, agent: str = "", request: str = "") -> Worktree:
        """Register one that was made by other means. Who comes second gets the first one's."""
        made = msgspec.structs.replace(foreign, id=new_id(), agent=agent)

        def unit(tx: Transaction) -> Worktree:
            row = tx.one("worktree.at_path", host=self.host, path=made.path)
            if row is not None and row["repo_id"] == repo.id:
                return rows.worktree(row, repo)
            rows.insert(tx, made, repo, at=tx.now())
            tx.emit(rows.event("worktree.adopted", made, agent=agent))
            return made

        digest = requests.digest("adopt", made.path) if request else ""
        return self.store.write(
            unit, lock=[f"repo:{repo.id}"], request=request, digest=digest, result=Worktree
        )

    def taken_over(self, known: Worktree, *, agent: str, type: str) -> Worktree:
        """Adopt one that is registered without an owner: `find` had to take it in."""
        made = msgspec.structs.replace(known, agent=agent, type=type)

        def unit(tx: Transaction) -> Worktree:
            if tx.run("worktree.owned", id=made.id, agent=agent, type=type):
                tx.emit(rows.event("worktree.adopted", made, agent=agent))
            return made

        return self.store.write(unit, lock=[f"repo:{made.id}"])

    # ---- types --------------------------------------------------------------------------

    def types(self) -> tuple[WorktreeType, ...]:
        own = self.store.read(lambda tx: tx.all("worktree.types"))
        return (*rules.BUILTIN, *map(rows.own_type, own))


def _columns(repo: Repo, *without: str) -> dict[str, str]:
    return {name: value for name, value in msgspec.structs.asdict(repo).items() if name not in without}


def _text(folder: str) -> str:
    """Raises InvalidInput for a path that is none: the store, JSON and events hold text."""
    try:
        folder.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"the folder {os.fsencode(folder)!r} is not UTF-8, and zdriver keeps paths as text",
            hint="rename it",
        ) from error
    return folder


def _absolute(path: str, cwd: str) -> str:
    return os.path.normpath(os.path.join(cwd, os.path.expanduser(path)))  # noqa: PTH111, PTH118 as text


def _changed_us(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns // 1000
    except OSError:
        return now_us()
