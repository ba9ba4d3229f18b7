"""Which remote a pull request is of, what its forge says, and its commits: fetched, not trusted."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from zdriver.core.errors import Ambiguous, Conflict, InvalidInput, NotFound, Unavailable, ZdriverError
from zdriver.core.redact import redact_text
from zdriver.forges.model import Declined, Place, Request
from zdriver.forges.urls import Address, Asked, address, pull_request, same
from zdriver.git import branches, fetching, refs, settings
from zdriver.plugins import forges
from zdriver.worktrees import pullrefs
from zdriver.worktrees.model import PullRequest, Repo

log = logging.getLogger(__name__)

_NUMBER_MAX = 2**31 - 1
_TITLE_MAX = 300
_URL = re.compile(r"https?://[\x21-\x7e]{1,2000}", re.ASCII)
#: Control characters, and those that make text read otherwise than it is.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request whose commits are here now, under `pullrefs.fetched`."""

    request: Request
    remote: str
    commit: str
    forge: str
    upstream: str = ""  #: "origin/feature", when its branch is that one and stands at `commit`
    warnings: tuple[str, ...] = ()

    def pull_request(self) -> PullRequest:
        url = self.request.url if _URL.fullmatch(self.request.url) else ""
        title = redact_text(_UNSEEN.sub(" ", self.request.title).strip()[:_TITLE_MAX])[0]
        return PullRequest(number=self.request.number, title=title, url=url)


def asked(number: int | str) -> Asked:
    """Raises InvalidInput."""
    meant = pull_request(number) if isinstance(number, str) else Asked(number)
    if meant is None or not 1 <= meant.number <= _NUMBER_MAX:
        raise InvalidInput(
            f"{str(number)[:200]!r} is no pull request",
            hint="give its number or its URL: zdriver review 123",
        )
    return meant


def fetch(repo: Repo, meant: Asked, remote: str, known: str, environ: dict[str, str]) -> Fetched:
    """`remote` is the one that was named, `known` that of the review as it is; "" for neither.

    Raises NotFound, Ambiguous, Conflict, Unavailable, and what git says.
    """
    found = settings.settings(repo.git_dir, environ)
    number = meant.number
    if meant.where is not None and not remote:
        remote = _remote_at(found, meant.where, known)
    if known in settings.remotes(found):
        _refuse_another(found, number, remote, known)
        remote = remote or known
    names = _remotes(found, remote)
    missing: NotFound | None = None
    for name in names:
        place = Place(
            git_dir=repo.git_dir,
            folder=repo.trunk if repo.trunk and Path(repo.trunk).is_dir() else repo.git_dir,
            remote=name,
            remote_url=settings.remote_url(found, name),
            environ=environ,
        )
        try:
            request, forge, warnings = ask(number, place)
        except NotFound as error:
            missing = missing or error
            continue
        return _fetched(repo, request, name, forge, warnings, environ)
    assert missing is not None
    raise missing


def ask(number: int, place: Place) -> tuple[Request, str, tuple[str, ...]]:
    """(what the first forge that knows it says, its name, why others could not say).

    Raises NotFound, and Unavailable when none could say.
    """
    failed: list[Unavailable] = []
    for forge in forges(place.remote_url, place.environ):
        try:
            request = forge.request(number, place)
        except Declined:
            continue
        except Unavailable as error:
            failed.append(error)
            continue
        except NotFound as error:
            if failed:  # who knows more did not answer
                raise NotFound(f"{error.message}; {failed[0].message}", hint=failed[0].hint) from error
            raise
        except ZdriverError:
            raise
        except Exception as error:  # a plugin's defect: the next one may do
            log.exception("asking %s for pull request %d", forge.name, number)
            said = f"{forge.name} failed: {type(error).__name__}: {error}"
            failed.append(Unavailable(said, hint="the daemon's log has more"))
            continue
        return request, forge.name, tuple(_told(error) for error in failed)
    raise failed[0] if failed else NotFound(f"no forge knows {place.remote_url}", hint="docs/forges.md")


def _told(error: Unavailable) -> str:
    hint = f" ({error.hint})" if error.hint else ""
    return f"{error.message}{hint}; asked git instead, which knows no title"


def _remote_at(found: settings.Settings, where: Address, first: str) -> str:
    """The remote that is the repository of a URL; `first` if several are. Raises NotFound."""
    names = [
        name
        for name in settings.remotes(found)
        if (there := address(settings.remote_url(found, name))) is not None and same(there, where)
    ]
    if not names:
        url = f"https://{where.host}/{where.path}"
        raise NotFound(
            f"{where.host}/{where.path} is no remote of this repository",
            hint=f"git remote add NAME {url}; or give the number and --remote",
        )
    return first if first in names else names[0]


def _refuse_another(found: settings.Settings, number: int, remote: str, known: str) -> None:
    """Two remotes may have a pull request of that number. Raises Conflict."""
    if remote in ("", known) or remote not in settings.remotes(found):
        return
    there, here = (address(settings.remote_url(found, name)) for name in (remote, known))
    if there is not None and here is not None and same(there, here):
        return
    raise Conflict(
        f"review-{number} is the pull request {number} of {known}, not of {remote}",
        hint=f"zdriver remove review-{number}, then again",
    )


def _remotes(found: settings.Settings, wanted: str) -> list[str]:
    """In the order in which they are asked. Raises NotFound, Ambiguous."""
    names = settings.remotes(found)
    if not names:
        raise NotFound(
            "this repository has no remote, so it has no pull requests", hint="git remote add origin URL"
        )
    if wanted:
        if wanted not in names:
            raise NotFound(f"there is no remote {wanted!r}", hint=f"there are: {', '.join(names)}")
        return [wanted]
    chosen = [name for name in names if settings.one(found, f"remote.{name}.gh-resolved") == "base"]
    usual = chosen[:1] or [name for name in ("upstream", "origin") if name in names]
    if not usual and len(names) > 1:
        raise Ambiguous(
            f"whose pull request? There are the remotes {', '.join(names)}", hint=f"--remote {names[0]}"
        )
    return usual or names


def _fetched(
    repo: Repo, request: Request, remote: str, forge: str, warnings: tuple[str, ...], env: Mapping[str, str]
) -> Fetched:
    into = pullrefs.fetched(request.number)
    try:
        fetching.fetch(repo.git_dir, remote, f"+{request.ref}:{into}", env=env)
    except NotFound as error:
        if not _fetched_branch(repo, request, remote, into, env):
            raise NotFound(
                f"{forge} knows pull request {request.number}, but {remote} has no {request.ref}",
                hint=f"is {remote} the repository that it is of? If not: --remote NAME",
            ) from error
    commit = branches.resolve(repo.git_dir, into, env)
    if commit is None:
        raise ZdriverError(f"git fetched {request.ref} of {remote}, but it is no commit")
    upstream = ""
    if not request.fork and refs.valid_branch(request.branch):
        upstream = _upstream(repo, remote, request.branch, commit, env)
    return Fetched(
        request=request, remote=remote, commit=commit, forge=forge, upstream=upstream, warnings=warnings
    )


def _fetched_branch(repo: Repo, request: Request, remote: str, into: str, env: Mapping[str, str]) -> bool:
    """A mirror may have the branches and no refs of pull requests: whether one of them is this one's.

    Of a fork only by its commit: a branch of that name may be something else here.
    """
    name = f"refs/heads/{request.branch}"
    if not refs.valid_branch(request.branch):
        return False
    there = fetching.ref_on(repo.git_dir, remote, name, env)
    if there is None or there != (request.commit or there) or (request.fork and not request.commit):
        return False
    fetching.fetch(repo.git_dir, remote, f"+{name}:{into}", env=env)
    return True


def _upstream(repo: Repo, remote: str, branch: str, commit: str, env: Mapping[str, str]) -> str:
    """The branch of the same repository that the request is made of, if it still stands there."""
    ref = f"refs/remotes/{remote}/{branch}"
    try:
        fetching.fetch(repo.git_dir, remote, f"+refs/heads/{branch}:{ref}", env=env)
    except NotFound:  # deleted, as after a merge
        return ""
    return f"{remote}/{branch}" if refs.read_ref(repo.git_dir, ref) == commit else ""
