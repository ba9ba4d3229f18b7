"""Which repository a folder belongs to, and what its default branch is. No network is asked.

Forms: gitrepository-layout(5) (`.git` files, `commondir`, `gitdir`), git-worktree(1) DETAILS.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from zdriver.core.errors import NotFound
from zdriver.git import refs, settings


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A repository, and where in it somebody stands. Paths are absolute, links resolved."""

    git_dir: str  #: the common git folder: names the repository
    trunk: str  #: top of the main worktree; "" for a bare repository
    bare: bool
    worktree: str  #: top of the worktree that was asked from; "" inside of a git folder
    remote: str = ""  #: URL of origin, else of the first remote, without secrets; "": no remote
    remote_name: str = ""
    default_branch: str = ""  #: "" when that cannot be told


def find(cwd: str, env: Mapping[str, str] | None = None) -> Found:
    """The repository that `cwd` (absolute, may be gone) lies in: one git process.

    Raises NotFound outside of any, and what git says about one that it refuses.
    """
    worktree, own = _locate(cwd)
    git_dir = common_dir(own)
    if not _is_git_dir(git_dir):
        raise NotFound(
            f"the repository of {worktree} is gone: {git_dir} is no git folder",
            hint="bring it back, then `git worktree repair` in its main worktree; else remove the folder",
        )
    config = settings.settings(git_dir, env)
    bare = settings.true(config, "core.bare")
    remotes = settings.remotes(config)
    return Found(
        git_dir=git_dir,
        trunk="" if bare else _trunk(git_dir, worktree, own, config),
        bare=bare,
        worktree=worktree,
        remote=settings.remote_url(config, remotes[0]) if remotes else "",
        remote_name=remotes[0] if remotes else "",
        default_branch=_default_branch(git_dir, bare, config),
    )


def default_branch(git_dir: str, env: Mapping[str, str] | None = None) -> str:
    """Name without refs/heads/; "" when that cannot be told. One git process, no network.

    In this order: what the remote's HEAD pointed to when it was cloned, `init.defaultBranch`,
    main, master, the only branch there is, the branch of the main worktree. A bare repository's
    HEAD says it. In a repository without commits it is the branch that the first one will make.
    """
    config = settings.settings(git_dir, env)
    return _default_branch(git_dir, settings.true(config, "core.bare"), config)


def _default_branch(git_dir: str, bare: bool, config: settings.Settings) -> str:
    head = (refs.symbolic(git_dir, "HEAD") or "").removeprefix("refs/heads/")
    if bare and head and refs.read_ref(git_dir, f"refs/heads/{head}"):
        return head
    for remote in settings.remotes(config):
        prefix = f"refs/remotes/{remote}/"
        target = refs.symbolic(git_dir, f"{prefix}HEAD") or ""
        if target.startswith(prefix) and refs.read_ref(git_dir, target):
            return target.removeprefix(prefix)
    for name in (settings.one(config, "init.defaultbranch"), "main", "master"):
        if name and refs.read_ref(git_dir, f"refs/heads/{name}"):
            return name
    branches = refs.below(git_dir, "refs/heads/")
    if len(branches) == 1:
        return next(iter(branches)).removeprefix("refs/heads/")
    return head


def _locate(cwd: str) -> tuple[str, str]:
    """(top of the worktree, its own git folder) by looking upwards; top "" inside of a git folder."""
    folder = os.path.realpath(cwd)
    while True:
        dot_git = f"{folder}/.git" if folder != "/" else "/.git"
        if os.path.isfile(dot_git):  # noqa: PTH113 - as text, in the way of every command
            return folder, _pointed(dot_git)
        if os.path.lexists(f"{dot_git}/HEAD"):
            return folder, os.path.realpath(dot_git)
        if _is_git_dir(folder):
            return "", folder
        if folder == "/":
            raise NotFound(f"{cwd} is in no git repository", hint="cd into one, or make one here: git init")
        folder = os.path.dirname(folder)  # noqa: PTH120 - as text


def _pointed(dot_git: str) -> str:
    """The folder that a `.git` file names."""
    return os.path.realpath(_named(dot_git))


def _named(dot_git: str) -> str:
    """`gitdir: PATH`, from the file's own folder; links in it are not resolved."""
    with open(dot_git, "rb") as file:  # noqa: PTH123 - as text, in the way of every list
        text = os.fsdecode(file.read())
    if not text.startswith("gitdir: "):
        raise NotFound(f"{dot_git} is not of git's form (gitdir: PATH)", hint="remove it, or repair it")
    path = text.removeprefix("gitdir: ").rstrip("\n")
    return path if path[:1] == "/" else f"{dot_git.removesuffix('/.git')}/{path}"


def common_dir(git_dir: str) -> str:
    """The repository's git folder, from that of one worktree."""
    common = _common(git_dir)
    return git_dir if common is None else os.path.realpath(common)


def _common(git_dir: str) -> str | None:
    """What its file `commondir` names, links not resolved; None without one."""
    try:
        with open(f"{git_dir}/commondir", "rb") as file:  # noqa: PTH123 - as text, in the way of every list
            text = os.fsdecode(file.read()).rstrip("\n")
    except OSError:
        return None
    return text if text[:1] == "/" else f"{git_dir}/{text}"


def dirs_of(worktree: str) -> tuple[str, str]:
    """(own git folder, common one) of the worktree whose top is `worktree`. Links are resolved only where
    ".." may lead through one: to look into the folders, and to tell which are of one repository, that is
    all that is needed.

    Raises NotFound when it has none.
    """
    dot_git = f"{worktree}/.git"
    own = _named(dot_git) if os.path.isfile(dot_git) else dot_git  # noqa: PTH113 - as text
    if own == dot_git and not os.path.lexists(f"{dot_git}/HEAD"):
        raise NotFound(f"{worktree} is no git worktree: it has no .git")
    own = os.path.realpath(own) if "/../" in own else own
    # git makes `commondir` "../.." of what lies in its own folder, in which there are no links.
    return own, os.path.normpath(_common(own) or own)


def git_dir_of(worktree: str) -> str:
    """The own git folder of the worktree whose top is `worktree`: HEAD, index, what is under way.

    Raises NotFound when it has none.
    """
    dot_git = f"{worktree}/.git"
    if os.path.isfile(dot_git):  # noqa: PTH113 - as text, in the way of every command
        return _pointed(dot_git)
    if os.path.lexists(f"{dot_git}/HEAD"):
        return os.path.realpath(dot_git)
    raise NotFound(f"{worktree} is no git worktree: it has no .git")


def _is_git_dir(folder: str) -> bool:
    """As git tells one: HEAD, objects/ and refs/ (or what stands for them) in it."""
    return (
        os.path.lexists(f"{folder}/HEAD")
        and os.path.isdir(f"{folder}/objects")  # noqa: PTH112 - as text
        and os.path.lexists(f"{folder}/refs")
    )


def _trunk(git_dir: str, worktree: str, own: str, config: settings.Settings) -> str:
    return worktree if own == git_dir and worktree else main_top(git_dir, config)


def main_top(git_dir: str, config: settings.Settings) -> str:
    """Top of the main worktree of a repository that is not bare; "" when that cannot be told.

    A submodule and a git folder elsewhere name it in `core.worktree`.
    """
    elsewhere = settings.one(config, "core.worktree")
    if elsewhere:
        return os.path.realpath(Path(git_dir) / elsewhere)
    return os.path.dirname(git_dir) if git_dir.endswith("/.git") else ""  # noqa: PTH120 - as text
