"""Any remote that shows its pull requests as refs, asked by git alone: no title, no branch name."""

from __future__ import annotations

from zdriver.core.errors import NotFound, Unavailable
from zdriver.forges.model import Forge, Place, Request
from zdriver.forges.urls import address
from zdriver.git import calling, refs
from zdriver.git.targets import in_repo
from zdriver.hookspecs import hookimpl

#: Where the head of number N lies, by who has it so.
_HEADS = (
    "refs/pull/{}/head",  # GitHub, Gitea, Forgejo
    "refs/merge-requests/{}/head",  # GitLab
    "refs/pull-requests/{}/from",  # Bitbucket Data Center
)
#: seconds: one question over the network
_PATIENCE = 60.0


class PlainGit:
    name = "git"

    def request(self, number: int, place: Place) -> Request:
        names = [head.format(number) for head in _HEADS]
        args = ("ls-remote", "--quiet", "--", place.remote, *names)
        try:
            answer = calling.read(in_repo(place.git_dir), args, env=place.environ, timeout=_PATIENCE)
        except NotFound as error:  # the whole repository: of what it has nothing is said
            raise Unavailable(
                f"the remote {place.remote} ({place.remote_url}) is not there, or not for you",
                hint=f"is its URL right? git remote set-url {place.remote} URL",
            ) from error
        found = {}
        for line in answer.lines():
            commit, _, name = line.partition("\t")
            if name in names and refs.is_commit_id(commit):
                found[name] = commit
        for name in names:
            if name in found:
                url = _page(place.remote_url, name, number)
                return Request(number=number, ref=name, commit=found[name], url=url)
        raise NotFound(
            f"{place.remote} ({place.remote_url}) has no pull request {number}",
            hint=f"is the number right? It was looked for as {names[0]} and {names[1]}",
        )


@hookimpl(trylast=True)
def zdriver_forge() -> Forge:
    return PlainGit()


def _page(remote_url: str, ref: str, number: int) -> str:
    """Where a person reads it, as far as the remote tells."""
    where = address(remote_url)
    if where is None:
        return ""
    if ref.startswith("refs/merge-requests/"):
        return f"https://{where.host}/{where.path}/-/merge_requests/{number}"
    return f"https://github.com/{where.path}/pull/{number}" if where.host == "github.com" else ""
