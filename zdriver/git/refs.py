"""References read from their files, without a process: HEAD, loose refs, packed-refs.

Forms: gitrepository-layout(5), git-pack-refs(1). A repository whose refs are kept otherwise
(reftable) is asked through git. Names are checked by the rules of git-check-ref-format(1).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from zdriver.core.errors import InvalidInput
from zdriver.git import calling
from zdriver.git.targets import in_repo

_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BAD = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_DEPTH = 5  #: symbolic references followed, as git does


def is_commit_id(text: str) -> bool:
    """40 (SHA-1) or 64 (SHA-256) hex digits."""
    return _OID.fullmatch(text) is not None


def valid_branch(name: str) -> bool:
    """Whether git would make a branch of that name."""
    return not name.startswith("-") and name != "HEAD" and valid_ref(f"refs/heads/{name}")


def valid_ref(name: str) -> bool:
    if "/" not in name or name.startswith("/") or name.endswith(("/", ".")) or _BAD.search(name):
        return False
    return not any(part.startswith(".") or part.endswith(".lock") for part in name.split("/"))


def checked_branch(name: str) -> str:
    """`name`. Raises InvalidInput for one that git refuses."""
    if not valid_branch(name):
        raise InvalidInput(
            f"{name!r} is not a branch name that git allows",
            hint="leave out spaces, control characters, ~^:?*[\\ and .., and a dash or dot in front",
        )
    return name


def read_ref(git_dir: str, name: str) -> str | None:
    """Commit of a full ref name (`refs/heads/main`); None when there is none, or it is broken.

    A tag's own object is given, not peeled.
    """
    if uses_reftable(git_dir):
        answer = calling.read(in_repo(git_dir), ("rev-parse", "--verify", "--quiet", name), ok=(0, 1, 128))
        return answer.text() if answer.code == 0 else None
    for _ in range(_DEPTH):
        text = _first_line(f"{git_dir}/{name}")
        if text is None:
            return packed(git_dir).get(name)
        if not text.startswith("ref:"):
            return text if is_commit_id(text) else None
        name = text.removeprefix("ref:").strip()
    return None


def symbolic(git_dir: str, name: str) -> str | None:
    """What `name` points to (`HEAD` → `refs/heads/main`); None when it is no symbolic reference."""
    if uses_reftable(git_dir):
        answer = calling.read(in_repo(git_dir), ("symbolic-ref", "--quiet", name), ok=(0, 1, 128))
        return answer.text() if answer.code == 0 else None
    text = _first_line(f"{git_dir}/{name}")
    return text.removeprefix("ref:").strip() if text and text.startswith("ref:") else None


def packed(git_dir: str) -> dict[str, str]:
    """Commit by full name, from packed-refs."""
    try:
        data = Path(git_dir, "packed-refs").read_bytes()
    except OSError:
        return {}
    return parse_packed(os.fsdecode(data))


def parse_packed(text: str) -> dict[str, str]:
    """Lines `<oid> <name>`; those with # or ^ (a tag's peeled object) in front are no refs."""
    found = {}
    for line in text.split("\n"):
        oid, _, name = line.partition(" ")
        if name and is_commit_id(oid):
            found[name] = oid
    return found


def below(git_dir: str, prefix: str) -> dict[str, str]:
    """All refs whose name starts with the folder `prefix` ("refs/heads/"), by full name."""
    if uses_reftable(git_dir):
        answer = calling.read(
            in_repo(git_dir), ("for-each-ref", "--format=%(objectname) %(refname)", prefix.rstrip("/"))
        )
        return parse_packed(answer.text())
    found = {name: oid for name, oid in packed(git_dir).items() if name.startswith(prefix)}
    for name in _loose(git_dir, prefix.rstrip("/")):
        oid = read_ref(git_dir, name)
        if oid is not None:
            found[name] = oid
    return found


def _loose(git_dir: str, folder: str) -> Iterator[str]:
    for where, _, files in os.walk(f"{git_dir}/{folder}"):
        for file in files:
            if not file.endswith(".lock"):
                yield f"{where}/{file}".removeprefix(f"{git_dir}/")


def uses_reftable(git_dir: str) -> bool:
    """git-init(1) --ref-format: such a repository has this folder, and a HEAD that means nothing."""
    return Path(git_dir, "reftable").is_dir()


def _first_line(path: str) -> str | None:
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError):
        return None
    return os.fsdecode(data).split("\n", 1)[0].strip()
