"""What of a removed worktree stays in git, by name; and what goes from the remote."""

from __future__ import annotations

from collections.abc import Mapping

from zdriver.core.errors import ZdriverError
from zdriver.git import branches, calling
from zdriver.git.targets import in_repo
from zdriver.worktrees.model import Repo

Env = Mapping[str, str] | None

#: What a worktree was configured with.
SETTINGS = ("config.worktree", "info/sparse-checkout")
#: That, and what git leaves of what is under way: worth keeping.
STATE = (
    *("rebase-merge", "rebase-apply", "sequencer", "MERGE_HEAD", "MERGE_MSG", "MERGE_MODE"),
    *("CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "BISECT_START", "BISECT_NAMES", "BISECT_TERMS"),
    *SETTINGS,
)


def kept_ref(id_: str) -> str:
    return f"refs/zdriver/removed/{id_}"


def work_ref(id_: str) -> str:
    return f"refs/zdriver/work/{id_}"


def also_ref(id_: str) -> str:
    return f"refs/zdriver/also/{id_}"


def delete_remote(repo: Repo, name: str, head: str, env: Env) -> str:
    """Delete the branch on its remote; what came of it, in words. Only commits that are kept go."""
    remotes = branches.remotes_with(repo.git_dir, name, env)
    if not remotes:
        return f"no remote has a branch {name}"
    remote = remotes[0]
    there = branches.resolve(repo.git_dir, f"refs/remotes/{remote}/{name}", env) or ""
    where = in_repo(repo.git_dir)
    known = calling.read(where, ("merge-base", "--is-ancestor", there, head), env=env, ok=(0, 1))
    if known.code:
        return f"{remote}/{name} stays: it has commits that were not in this worktree"
    lease = f"--force-with-lease=refs/heads/{name}:{there}"
    try:
        calling.write(where, ("push", "--quiet", lease, "--", remote, f":refs/heads/{name}"), env=env)
    except ZdriverError as error:
        return f"{remote}/{name} stays: {error.message}"
    return f"{remote}/{name} was deleted"
