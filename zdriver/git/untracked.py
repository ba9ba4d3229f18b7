"""Files of a worktree that git does not track."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from zdriver.git import calling
from zdriver.git.targets import in_tree


def untracked(path: str, globs: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Those in the worktree at `path`, ignored ones too, that one of `globs` matches; relative, sorted.

    globs  as gitglossary(7) has them with the magic word `glob`: `*` stays in its folder, `**/` and
           `/**` cross folders, the name of a folder means all that is in it
    A repository in the worktree is one entry, `folder/`.
    """
    if not globs:
        return ()
    args = ("ls-files", "--others", "-z", "--", *(f":(top,glob){glob}" for glob in globs))
    found = calling.read(in_tree(path), args, env=env).out
    return tuple(sorted({os.fsdecode(name) for name in found.split(b"\0") if name}))
