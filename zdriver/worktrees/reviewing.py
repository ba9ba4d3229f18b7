"""Pull requests as worktrees: `ReviewsApi`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zdriver.core import caller, requests
from zdriver.core.errors import Conflict, NotFound
from zdriver.core.killpoint import reached
from zdriver.storage.port import Transaction
from zdriver.worktrees import rows, rules
from zdriver.worktrees.locks import Locks
from zdriver.worktrees.model import Repo, Reviewed, Worktree
from zdriver.worktrees.names import folder, key
from zdriver.worktrees.ports import Guard
from zdriver.worktrees.registry import Registry
from zdriver.worktrees.service import WorktreesService
from zdriver.worktrees.steps import point

if TYPE_CHECKING:  # loaded at the first review
    from zdriver.worktrees.branching import Start
    from zdriver.worktrees.requesting import Fetched

#: Branch names tried: review-123, review-123-2 …
_TRIES = 20


class ReviewsService:
    """Thread-safe. One review of a number at a time: the others wait, then bring it up to date."""

    def __init__(
        self, registry: Registry, worktrees: WorktreesService, guard: Guard | None, locks: Locks
    ) -> None:
        """locks: shared with `worktrees`."""
        self._registry = registry
        self._store = registry.store
        self._worktrees = worktrees
        self._guard = guard
        self._locks = locks

    def review(
        self,
        number: int | str,
        *,
        remote: str = "",
        token: int = 0,
        cwd: str = "",
        agent: str = "",
        env: dict[str, str] | None = None,
        request: str = "",
    ) -> Reviewed:
        from zdriver.worktrees import distrust, requesting

        meant = requesting.asked(number)
        name = folder(rules.REVIEW, str(meant.number))
        cwd, agent = cwd or caller.cwd(), agent or caller.agent()
        environ = caller.environment() if env is None else env
        repo = self._registry.repo(cwd)
        with self._locks.held(repo.id, key(name)):
            known, branch, of = self._known(repo, meant.number)
            if known is not None:
                self._check(known, agent, token)
            try:
                fetched = requesting.fetch(repo, meant, remote, of, environ)
            except NotFound as error:
                if known is None:
                    raise
                hint = f"zdriver remove {known.name}, when you are done with it"
                raise NotFound(f"{error.message}; {known.name} stays as it is", hint=hint) from error
            reached(point("fetched", "review"))
            environ = distrust.without_their_hooks(repo.git_dir, environ)
            if known is None:
                made = self._make(repo, fetched, cwd, agent, environ, request)
                if made is not None:
                    return made
                known, branch, _ = self._known(repo, meant.number)  # a killed creation was finished just now
                if known is None:
                    raise Conflict(f"{name} was taken away meanwhile", hint="do it again")
            self._check(known, agent, token)  # once more: fetching may have taken long
            return self._refresh(repo, known, branch or known.branch, fetched, environ, request)

    def _check(self, known: Worktree, agent: str, token: int) -> None:
        """Raises Conflict when another agent holds it."""
        if self._guard is not None:
            self._guard.check(known.id, agent=agent, token=token)

    # ---- one that is there --------------------------------------------------------------

    def _known(self, repo: Repo, number: int) -> tuple[Worktree | None, str, str]:
        """(its worktree, the branch that was made for it, the remote whose pull request it is).

        None when it has to be made, or mended.

        Raises Conflict when the name means something else, or is being removed.
        """
        row = self._store.read(lambda tx: tx.one("review.find", repo_id=repo.id, number=number))
        name = folder(rules.REVIEW, str(number))
        for each in self._registry.worktrees(repo):
            if row is not None and each.id == row["id"]:
                if each.state == "removing":
                    raise Conflict(
                        f"{each.name} is being removed, or was killed at that",
                        hint="wait for it, or settle it with zdriver worktree repair",
                    )
                there = each.state == "ready" and os.path.lexists(f"{each.path}/.git")
                return (each if there else None), row["pr_branch"], row["pr_remote"]
            if key(each.name) == key(name) and each.pull_request is None:
                raise Conflict(
                    f"there is a worktree {each.name} already, and it is no review of {number}",
                    hint=f"zdriver remove {each.name}, then again",
                )
        return None, "", ""

    def _refresh(
        self,
        repo: Repo,
        known: Worktree,
        branch: str,
        fetched: Fetched,
        environ: dict[str, str],
        request: str,
    ) -> Reviewed:
        from zdriver.worktrees.refreshing import refresh

        number = fetched.request.number
        done = refresh(repo, known, branch, number, environ)
        warnings = fetched.warnings
        if done.updated and done.kept:
            warnings += (f"it was rebased; where it stood before is kept as {done.kept}",)
        return self._noted(
            Reviewed(
                worktree=known,
                created=False,
                commit=fetched.commit,
                updated=done.updated,
                reason=done.reason,
                before=done.before,
                state=fetched.request.state,
                forge=fetched.forge,
                warnings=warnings,
            ),
            fetched,
            branch,
            request,
        )

    def _noted(self, answer: Reviewed, fetched: Fetched, branch: str, request: str) -> Reviewed:
        import msgspec

        worktree, pull = answer.worktree, fetched.pull_request()
        if not pull.title and worktree.pull_request is not None:  # asked git, which knows none
            pull = msgspec.structs.replace(worktree.pull_request, url=pull.url or worktree.pull_request.url)
        answer = msgspec.structs.replace(
            answer, worktree=msgspec.structs.replace(worktree, pull_request=pull)
        )

        def unit(tx: Transaction) -> Reviewed:
            tx.run(
                "review.update",
                id=worktree.id,
                title=pull.title,
                url=pull.url,
                branch=branch,
                remote=fetched.remote,
                head=answer.commit,
                at=tx.now(),
            )
            if answer.updated:
                what = {"number": pull.number, "before": answer.before, "commit": answer.commit}
                tx.emit(rows.event("review.updated", answer.worktree, **what))
            return answer

        answer = self._store.write(
            unit,
            lock=[f"worktree:{worktree.id}"],
            request=f"{request}/review" if request else "",
            digest=requests.digest("review", pull.number) if request else "",
            result=Reviewed,
        )
        reached(point("noted", "review"))
        return answer

    # ---- a new one ----------------------------------------------------------------------

    def _make(
        self, repo: Repo, fetched: Fetched, cwd: str, agent: str, environ: dict[str, str], request: str
    ) -> Reviewed | None:
        """None: it turned out to be there. Raises what `WorktreesService.add` raises."""
        from zdriver.git import branches, refs
        from zdriver.worktrees import pullrefs
        from zdriver.worktrees.adding import Asked

        number = fetched.request.number
        head = pullrefs.head(number)
        try:
            start = choose(repo, fetched, environ)
            if refs.read_ref(repo.git_dir, head) is None:  # one that was killed knows where it stands
                branches.set_ref(repo.git_dir, head, start.commit)
            asked = Asked(
                type=rules.REVIEW,
                name=str(number),
                cwd=cwd,
                agent=agent,
                env=environ,
                request=request,
                pull_request=fetched.pull_request(),
                start=start,
            )
            added = self._worktrees.make(asked)
        except BaseException:
            pullrefs.drop(repo, number)
            raise
        if not added.created:
            return None
        reached(point("made", "review"))
        branches.set_ref(repo.git_dir, head, start.commit)
        return self._noted(
            Reviewed(
                worktree=added.worktree,
                created=True,
                commit=fetched.commit,
                state=fetched.request.state,
                forge=fetched.forge,
                linked=added.linked,
                provided=added.provided,
                warnings=(*fetched.warnings, *added.warnings),
            ),
            fetched,
            start.branch,
            request,
        )


def choose(repo: Repo, fetched: Fetched, environ: dict[str, str]) -> Start:
    """The branch: called as where it comes from, unless that means something else here.

    A local branch that stands at the very commit is used; none is ever moved. Raises Conflict.
    """
    from zdriver.git import branches, refs
    from zdriver.worktrees.branching import Start

    git_dir, number, own = repo.git_dir, fetched.request.number, fetched.request.branch
    base = _base(repo, fetched)
    warnings: tuple[str, ...] = ()
    numbered = (f"review-{number}", *(f"review-{number}-{n}" for n in range(2, _TRIES)))
    for name in (own, *numbered) if refs.valid_branch(own) else numbered:
        tip = branches.local(git_dir, name)
        track = fetched.upstream if name == own else ""
        same = name != own or not fetched.request.fork
        if tip is None and not _nested(git_dir, name) and (track or not branches.remotes_with(git_dir, name)):
            return Start(
                branch=name, new=True, commit=fetched.commit, base=base, track=track, warnings=warnings
            )
        where = branches.checked_out_at(git_dir, name) if tip else None
        if tip == fetched.commit and same and where is None:
            return Start(branch=name, new=False, commit=fetched.commit, base=base, warnings=warnings)
        said = f"branch {name} is {'checked out at ' + where if where else 'something else here'}, and stays"
        warnings += (said,)
    raise Conflict(
        f"no branch name is left for pull request {number}",
        hint=f"delete what is not needed of: git branch --list 'review-{number}*'",
    )


def _nested(git_dir: str, name: str) -> bool:
    """git keeps branches as files: `a` and `a/b` cannot both be."""
    from zdriver.git import branches

    return any(each.startswith(f"{name}/") or name.startswith(f"{each}/") for each in branches.names(git_dir))


def _base(repo: Repo, fetched: Fetched) -> str:
    """The branch it is compared with, and merged into."""
    from zdriver.git import branches, refs

    name = fetched.request.base
    if refs.valid_branch(name):
        if branches.local(repo.git_dir, name):
            return name
        if refs.read_ref(repo.git_dir, f"refs/remotes/{fetched.remote}/{name}"):
            return f"{fetched.remote}/{name}"
    return repo.default_branch or fetched.commit
