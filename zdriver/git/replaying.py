"""Merges and copies of commits, made in the object store alone: no index, no files, no refs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from zdriver.core.errors import Conflict, Unavailable, ZdriverError
from zdriver.git import calling

Env = Mapping[str, str] | None
Where = tuple[str, ...]


def tree_of(where: Where, commit: str, env: Env = None) -> str:
    return calling.read(where, ("rev-parse", "--verify", f"{commit}^{{tree}}"), env=env).text()


def merged(where: Where, ours: str, theirs: str, what: str, env: Env = None) -> str:
    """The tree of the two commits merged. `what` names them in the message.

    Raises Conflict with the files, Unavailable with a git before 2.38.
    """
    args = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
    answer = calling.write(where, args, env=env, ok=calling.ANY)
    tree, *files = os.fsdecode(answer.out).split("\0")
    if answer.code == 0:
        return tree
    if answer.code == 1 and len(tree) >= 40:
        raise Conflict(
            f"{what} change the same places: {some([one for one in files if one])}",
            hint="merge the base into the branch in its worktree, settle the conflicts there, then again",
        )
    if answer.code == 129:
        raise Unavailable("this needs git 2.38 or newer", hint="upgrade git, or merge by hand")
    raise calling.failed(where, args, answer)


def some(files: Sequence[str]) -> str:
    """Five of them, and how many more. Pure."""
    shown = ", ".join(dict.fromkeys(files[:5]))
    return f"{shown} and {len(files) - 5} more" if len(files) > 5 else shown


def commit(
    where: Where, tree: str, parents: Sequence[str], message: bytes, sign: Sequence[str] = (), env: Env = None
) -> str:
    """A new commit; nothing refers to it. Raises Unavailable when git does not know who commits."""
    options = [word for parent in parents for word in ("-p", parent)]
    text = message if message.endswith(b"\n") else message + b"\n"
    args = ("commit-tree", tree, *options, *sign, "-F", "-")
    return calling.write(where, args, env=env, stdin=text).text()


def replay(where: Where, onto: str, tip: str, sign: Sequence[str] = (), env: Env = None) -> str:
    """Copy the commits of `tip` that `onto` has not, also not as the same patch; the last copy.

    Merges are left out, and commits that would change nothing any more, as `git rebase` does.
    Raises Conflict with the commit and its files, or when something that a merge commit changed
    would be lost.
    """
    args = ("rev-list", "--reverse", "--topo-order", "--no-merges", "--cherry-pick", "--right-only")
    last = onto
    for original in calling.read(where, (*args, f"{onto}...{tip}", "--"), env=env).lines():
        last = _copied(where, last, original, sign, env)
    merges = calling.read(where, ("rev-list", "--count", "--merges", tip, f"^{onto}"), env=env).text()
    if merges != "0" and merged(where, onto, tip, "the branch and its base", env) != tree_of(
        where, last, env
    ):
        raise Conflict(
            "the branch has merge commits that change something themselves: a rebase would lose that",
            hint="merge or squash instead",
        )
    return last


def _copied(where: Where, onto: str, original: str, sign: Sequence[str], env: Env) -> str:
    raw = calling.read(where, ("cat-file", "commit", original), env=env).out
    said = parse_commit(raw)
    tree = _picked(where, onto, original, said.parents, env)
    if tree == tree_of(where, onto, env):
        return onto
    named = {**(env or {}), **said.author}
    config = ("-c", f"i18n.commitEncoding={said.encoding}") if said.encoding else ()
    options = ("-p", onto, *sign, "-F", "-")
    args = (*config, "commit-tree", tree, *options)
    return calling.write(where, args, env=named, stdin=said.message or b"\n").text()


def _picked(where: Where, onto: str, original: str, parents: Sequence[str], env: Env) -> str:
    """The tree of `onto` with what `original` changed.

    `merge-tree --merge-base` came with 2.40. So a stand-in for `onto` is made, with its tree and
    the original's parent: what the two have in common is then that parent.
    """
    who = {f"GIT_{one}_{two}": "zdriver" for one in ("AUTHOR", "COMMITTER") for two in ("NAME", "EMAIL")}
    if not parents:
        raise Conflict(f"commit {original[:12]} has no parent, so it cannot be rebased", hint="merge instead")
    standing = commit(where, tree_of(where, onto, env), parents[:1], b"-", env={**(env or {}), **who})
    try:
        return merged(where, standing, original, f"commit {original[:12]} and the base", env)
    except Conflict as conflict:
        raise Conflict(conflict.message, hint="rebase it in its worktree, or merge instead") from conflict


class Commit:
    """What of a commit its copy keeps."""

    __slots__ = ("author", "encoding", "message", "parents")

    def __init__(self, parents: list[str], author: dict[str, str], encoding: str, message: bytes) -> None:
        self.parents = parents
        self.author = author  #: GIT_AUTHOR_NAME, _EMAIL, _DATE
        self.encoding = encoding  #: "" for UTF-8
        self.message = message


_PERSON = re.compile(rb"author (.*?) ?<([^<>\n]*)> (\d+) ([+-]\d{4})")


def parse_commit(raw: bytes) -> Commit:
    """`git cat-file commit`: header lines, an empty one, the message. Pure."""
    head, _, message = raw.partition(b"\n\n")
    lines = head.split(b"\n")
    parents = [line[7:].decode() for line in lines if line.startswith(b"parent ")]
    encodings = [line[9:].decode("ascii", "replace") for line in lines if line.startswith(b"encoding ")]
    person = next((found for line in lines if (found := _PERSON.fullmatch(line))), None)
    if person is None:
        raise ZdriverError("a commit without an author that git understands cannot be copied")
    name, mail, at, zone = map(os.fsdecode, person.groups())
    author = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail, "GIT_AUTHOR_DATE": f"@{at} {zone}"}
    return Commit(parents, author, encodings[0] if encodings else "", message)
