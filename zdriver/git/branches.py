"""Branches: where they stand, who has them checked out, whether their work is safe elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from zdriver.core.errors import Conflict, InvalidInput
from zdriver.git import calling, refs, settings
from zdriver.git.landed import Landed, landed, unpushed
from zdriver.git.repos import main_top
from zdriver.git.targets import in_repo

__all__ = [
    "Landed",
    "checked_out_at",
    "create",
    "delete",
    "delete_ref",
    "landed",
    "local",
    "remotes_with",
    "resolve",
    "set_ref",
    "unpushed",
    "upstream",
]

Env = Mapping[str, str] | None


def local(git_dir: str, name: str) -> str | None:
    """Commit of a local branch, None when there is none. No process."""
    return refs.read_ref(git_dir, f"refs/heads/{name}") if refs.valid_branch(name) else None


def names(git_dir: str) -> dict[str, str]:
    """Commit of every local branch by its name. No process."""
    found = refs.below(git_dir, "refs/heads/")
    return {name.removeprefix("refs/heads/"): commit for name, commit in found.items()}


def remotes_with(git_dir: str, name: str, env: Env = None) -> list[str]:
    """Remotes that had a branch of that name when they were fetched last, origin first. One process.

    The branch of remote R is `R/name`.
    """
    if not refs.valid_branch(name):
        return []
    remotes = settings.remotes(settings.settings(git_dir, env))
    return [one for one in remotes if refs.read_ref(git_dir, f"refs/remotes/{one}/{name}")]


def upstream(git_dir: str, name: str, env: Env = None) -> str:
    """Full name of the ref that branch `name` follows, "" when it follows none. One process."""
    args = ("for-each-ref", "--format=%(upstream)", f"refs/heads/{name}")
    lines = calling.read(in_repo(git_dir), args, env=env).lines()
    return lines[0] if len(lines) == 1 else ""


def checked_out_at(git_dir: str, name: str) -> str | None:
    """Folder of the worktree that has the branch checked out, or is rebasing or bisecting it.

    Read from git's files (gitrepository-layout(5)); a process only where it is the main worktree's.
    The folder may be gone.
    """
    wanted = f"refs/heads/{name}"
    if _holds(git_dir, wanted):
        # Only here is git asked: a bare repository's HEAD holds nothing.
        config = settings.settings(git_dir)
        if not settings.true(config, "core.bare"):
            return main_top(git_dir, config)
    for own in sorted(Path(git_dir, "worktrees").glob("*")):
        if _holds(str(own), wanted):
            path = _line(own / "gitdir")
            if path:
                return os.path.normpath(own / path).removesuffix("/.git")
    return None


def _holds(own: str, ref: str) -> bool:
    if refs.uses_reftable(own):
        return calling.read(("--git-dir", own), ("symbolic-ref", "--quiet", "HEAD"), ok=(0, 1)).text() == ref
    branch = ref.removeprefix("refs/heads/")
    return (
        _line(Path(own, "HEAD")) == f"ref: {ref}"
        or _line(Path(own, "rebase-merge", "head-name")) == ref
        or _line(Path(own, "rebase-apply", "head-name")) == ref
        or _line(Path(own, "BISECT_START")) == branch
    )


def _line(path: Path) -> str:
    """All of a small file but its last newline: a path in it may hold newlines."""
    try:
        return os.fsdecode(path.read_bytes()).removesuffix("\n")
    except OSError:
        return ""


def resolve(git_dir: str, rev: str, env: Env = None) -> str | None:
    """Commit that a branch, tag, remote branch or id means; None when nothing does.

    A local branch goes before a tag of the same name. No process for a local branch, else one.
    """
    if not rev or rev.startswith("-") or "\0" in rev or "\n" in rev:
        return None
    found = local(git_dir, rev)
    if found:
        return found
    args = ("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    answer = calling.read(in_repo(git_dir), args, env=env, ok=(0, 1, 128))
    return answer.text() if answer.code == 0 else None


def create(git_dir: str, name: str, commit: str, env: Env = None) -> None:
    """A new branch at `commit`. Raises Conflict when there is one of that name, InvalidInput."""
    set_ref(git_dir, f"refs/heads/{refs.checked_branch(name)}", commit, expect="", env=env)


def delete(git_dir: str, name: str, *, expect: str, env: Env = None) -> None:
    """Delete a local branch and its configuration, if it still stands at commit `expect`.

    One that is gone already is no error. Raises Conflict when it moved or is checked out.
    """
    where = checked_out_at(git_dir, refs.checked_branch(name))
    if where is not None:
        raise Conflict(f"branch {name} is checked out at {where}", hint="remove that worktree first")
    delete_ref(git_dir, f"refs/heads/{name}", expect=expect, env=env)
    section = f"branch.{name}"
    args = ("config", "--local", "--remove-section", section)
    if f'[branch "{name}"]' in _config_text(git_dir):
        calling.write(in_repo(git_dir), args, env=env, ok=(0, 128))


def _config_text(git_dir: str) -> str:
    try:
        return os.fsdecode(Path(git_dir, "config").read_bytes())
    except OSError:
        return ""


def set_ref(
    git_dir: str, ref: str, commit: str, *, expect: str | None = None, message: str = "", env: Env = None
) -> None:
    """Let `ref` (full name) be `commit`.

    expect: commit it must stand at now, "" for: it must not exist, None for: whatever it is.
    Raises Conflict when it stands elsewhere, InvalidInput for a name that git refuses.
    """
    _checked(ref)
    reason = ("-m", message, "--create-reflog") if message else ()
    wanted = () if expect is None else (expect or "0" * len(commit),)
    calling.write(in_repo(git_dir), ("update-ref", *reason, "--", ref, commit, *wanted), env=env)


def delete_ref(git_dir: str, ref: str, *, expect: str | None = None, env: Env = None) -> None:
    """Delete `ref` if it stands at `expect` (None: wherever). One that is gone is no error.

    Raises Conflict when it stands elsewhere.
    """
    _checked(ref)
    if refs.read_ref(git_dir, ref) is None:
        return
    wanted = () if expect is None else (expect,)
    calling.write(in_repo(git_dir), ("update-ref", "-d", "--", ref, *wanted), env=env)


def _checked(ref: str) -> None:
    if not refs.valid_ref(ref):
        raise InvalidInput(f"{ref!r} is not a name that git allows for a ref")
