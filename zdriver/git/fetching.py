"""What needs a remote: fetch, and delete a branch there. Never asks on a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from zdriver.core.errors import InvalidInput
from zdriver.git import calling, refs
from zdriver.git.targets import in_repo

Env = Mapping[str, str] | None
#: seconds
PATIENCE = 300.0


def fetch(
    git_dir: str, remote: str, *refspecs: str, env: Env = None, prune: bool = False, timeout: float = PATIENCE
) -> None:
    """`git fetch`: without refspecs, what the remote's configuration says.

    refspecs: such as "+refs/pull/123/head:refs/zdriver/pull/123". git refuses to move a branch
    that is checked out. Tags come only where a refspec names them.
    Raises NotFound when the remote has no such ref, Unavailable when it cannot be reached or
    wants a password, Conflict when a branch here would lose commits.
    """
    for text in (remote, *refspecs):
        if not text or text.startswith("-") or "\n" in text:
            raise InvalidInput(f"{text!r} is no remote or refspec")
    options = ("--prune",) if prune else ()
    args = ("fetch", "--quiet", "--no-tags", *options, "--", remote, *refspecs)
    calling.write(in_repo(git_dir), args, env=env, timeout=timeout)


def ref_on(git_dir: str, remote: str, ref: str, env: Env = None, timeout: float = PATIENCE) -> str | None:
    """Commit of a ref (full name) on the remote, asked of it now; None when it has none."""
    if remote.startswith("-") or not refs.valid_ref(ref):
        raise InvalidInput(f"{remote!r} or {ref!r} is no remote or ref")
    args = ("ls-remote", "--quiet", "--", remote, ref)
    for line in calling.read(in_repo(git_dir), args, env=env, timeout=timeout).lines():
        commit, _, name = line.partition("\t")
        if name == ref:
            return commit
    return None


def delete_remote_branch(
    git_dir: str, remote: str, branch: str, *, expect: str, env: Env = None, timeout: float = PATIENCE
) -> bool:
    """Delete the remote's branch if it still stands at commit `expect`; False when it was gone already.

    Raises Conflict when somebody pushed to it since, Unavailable when the remote cannot be reached.
    """
    name = f"refs/heads/{refs.checked_branch(branch)}"
    lease = f"--force-with-lease={name}:{expect}"
    args = ("push", "--quiet", "--no-verify", lease, "--", remote, f":{name}")
    answer = calling.write(in_repo(git_dir), args, env=env, timeout=timeout, ok=calling.ANY)
    if answer.code == 0:
        return True
    if "stale info" in answer.err and ref_on(git_dir, remote, name, env, timeout) is None:
        return False
    raise calling.failed(in_repo(git_dir), args, answer)
