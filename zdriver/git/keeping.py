"""Keep what a worktree has beyond its branch as commits, and bring it back.

Like `git stash`, but for a worktree that is named by folder and git folder, with a merge in its
index, and without touching either. The commit of the work has the files as they were; its parents
are HEAD and (where the index has no conflicts) a commit of the index.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from zdriver.git import branches, calling
from zdriver.git.contents import where

Env = Mapping[str, str] | None

#: Who zdriver's own commits are of: the user's name may not be set.
_WHO = {f"GIT_{who}_{what}": "zdriver" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
_LOCK = "locked"  #: gitrepository-layout(5)


def save(top: str, own: str, head: str, env: Env = None) -> str:
    """Commit of all tracked files as they are now, "" when nothing differs from `head` ("": none yet).

    Nothing but objects is written. Raises what git says: a filter that fails, a full disk.
    """
    place = where(top, own)
    given = {**(env or {}), **_WHO}
    parents = ("-p", head) if head else ()
    with _copied_index(own) as index:
        given["GIT_INDEX_FILE"] = index
        staged = calling.write(place, ("write-tree",), env=given, ok=(0, 128))
        calling.write(place, ("-c", "core.safecrlf=false", "add", "-u", "--", "."), env=given)
        files = calling.write(place, ("write-tree",), env=given).text()
    clean = calling.read(place, ("rev-parse", f"{head}^{{tree}}"), env=env).text() if head else ""
    if staged.code == 0:
        if clean == staged.text() == files:
            return ""
        said = ("-m", "zdriver: the index of a removed worktree")
        index_commit = calling.write(place, ("commit-tree", staged.text(), *parents, *said), env=given).text()
        parents = (*parents, "-p", index_commit)
    said = ("-m", "zdriver: the files of a removed worktree")
    return calling.write(place, ("commit-tree", files, *parents, *said), env=given).text()


def save_index(own: str, head: str, env: Env = None) -> str:
    """The same of a worktree whose files are gone: its index alone."""
    place = ("--git-dir", own)
    staged = calling.read(place, ("write-tree",), env=env, ok=(0, 128))
    if staged.code or not Path(own, "index").exists():
        return ""
    tree = staged.text()
    if head and calling.read(place, ("rev-parse", f"{head}^{{tree}}"), env=env).text() == tree:
        return ""
    parents = ("-p", head) if head else ()
    said = ("-m", "zdriver: the index of a removed worktree")
    given = {**(env or {}), **_WHO}
    staged_commit = calling.write(place, ("commit-tree", tree, *parents, *said), env=given).text()
    return calling.write(place, ("commit-tree", tree, *parents, "-p", staged_commit, *said), env=given).text()


def restore(top: str, own: str, work: str, head: str, env: Env = None) -> None:
    """Files and index as `save` found them, in a worktree that nobody has changed. Raises git's words."""
    place = where(top, own)
    calling.write(place, ("read-tree", "--reset", "-u", work), env=env)
    parents = calling.read(place, ("rev-list", "--parents", "-1", work), env=env).text().split()[1:]
    staged = [each for each in parents if each != head]
    calling.write(place, ("read-tree", staged[-1] if staged else head or "--empty"), env=env)
    calling.write(place, ("update-index", "-q", "--refresh"), env=env, ok=(0, 1))


def flag(top: str, own: str, index: str, env: Env = None) -> None:
    """Mark files assume-unchanged and skip-worktree as in another index (its path). Raises git's words."""
    place = where(top, own)
    listing = ("ls-files", "-z", "-v")
    there = dict(_flags(calling.read(place, listing, env=env).out))
    wanted = dict(_flags(calling.read(place, listing, env={**(env or {}), "GIT_INDEX_FILE": index}).out))
    assumed = [path for path, tag in wanted.items() if tag.islower() and path in there]
    skipped = [path for path, tag in wanted.items() if tag.upper() == b"S" and path in there]
    for option, marked in (("--assume-unchanged", assumed), ("--skip-worktree", skipped)):
        if marked:
            stdin = b"".join(path + b"\0" for path in marked)
            calling.write(place, ("update-index", "-z", option, "--stdin"), env=env, stdin=stdin)


def _flags(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """`git ls-files -z -v`: `TAG PATH`. Pure. (path, tag)"""
    for entry in data.split(b"\0"):
        tag, _, path = entry.partition(b" ")
        if path:
            yield path, tag


def tie(git_dir: str, ref: str, commits: tuple[str, ...], env: Env = None) -> None:
    """One ref that keeps many commits: a commit without files whose parents they are."""
    place = ("--git-dir", git_dir)
    given = {**(env or {}), **_WHO}
    tree = calling.write(place, ("mktree",), env=given, stdin=b"").text()
    parents = [word for commit in commits for word in ("-p", commit)]
    said = ("-m", "zdriver: commits that only a removed worktree knew")
    made = calling.write(place, ("commit-tree", tree, *parents, *said), env=given).text()
    branches.set_ref(git_dir, ref, made, env=env)


@contextmanager
def _copied_index(own: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="zdriver-keep-", dir=own) as folder:
        copy = f"{folder}/index"
        index = Path(own, "index")
        if index.exists():
            shutil.copy2(index, copy)
        yield copy


# ---- the worktree's own git folder ------------------------------------------------------------


def own_dir(git_dir: str, path: str) -> str:
    """The git folder of the linked worktree that git knows at `path`, which may be gone; "" for none."""
    for own in sorted(Path(git_dir, "worktrees").glob("*")):
        try:
            said = os.fsdecode((own / "gitdir").read_bytes()).removesuffix("\n")
        except OSError:
            continue
        if os.path.normpath(own / said) == f"{path}/.git":
            return str(own)
    return ""


def pointed(top: str) -> str:
    """The git folder that the file `.git` in a worktree names; "" when there is no such file."""
    try:
        text = os.fsdecode(Path(top, ".git").read_bytes())
    except OSError:
        return ""
    if not text.startswith("gitdir: "):
        return ""
    return os.path.normpath(Path(top, text.removeprefix("gitdir: ").rstrip("\n")))


def lock_reason(own: str) -> str | None:
    """Why it is locked, may be ""; None: it is not."""
    try:
        return Path(own, _LOCK).read_text("utf-8", "replace").strip()
    except OSError:
        return None


def lock(own: str, reason: str) -> None:
    """As `git worktree lock`, without a process. Raises FileExistsError when it is locked, OSError."""
    # With its reason or not at all, whatever the disk or a kill does: without it nobody would unlock it.
    half, whole = Path(own, f"{_LOCK}.zdriver"), Path(own, _LOCK)
    try:
        half.write_text(reason, "utf-8")
        try:
            whole.hardlink_to(half)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(whole):
                raise
            half.rename(whole)
    finally:
        half.unlink(missing_ok=True)
    # When this is older than a day, git notes in it where the worktree is whenever it is asked
    # there (setup.c, update_linked_gitdir): it must not while that is for a moment only.
    os.utime(Path(own, "gitdir"))


def unlock(own: str, reason: str) -> None:
    """Take away a lock of that reason; another's stays."""
    if lock_reason(own) == reason:
        Path(own, _LOCK).unlink(missing_ok=True)
