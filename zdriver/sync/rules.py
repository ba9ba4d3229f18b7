"""What of sync/ is fit to be shared, by its name. Pure.

A folder of installed packages or of build results belongs to one worktree: its content follows
that worktree's lock file, compiler and absolute path, so that one for all of them breaks as soon
as two differ.
"""

from __future__ import annotations

import fnmatch

from zdriver.sync.patterns import Rules

#: name → what it is; never shared, whatever the rules say.
_NEVER = {
    "node_modules": "packages that npm installed for one worktree",
    ".venv": "a Python environment, which holds the absolute path of one worktree",
    "__pycache__": "what Python compiled in one worktree",
}
#: The same, but a rule that names files below brings those in: such a name may mean something else.
_SELDOM = {
    "target": "build results of one worktree",
    "venv": "a Python environment, which holds the absolute path of one worktree",
    "bower_components": "packages that were installed for one worktree",
    ".tox": "environments that were made for one worktree",
    ".nox": "environments that were made for one worktree",
    ".gradle": "build state of one worktree",
    ".next": "build results of one worktree",
    ".nuxt": "build results of one worktree",
    ".mypy_cache": "a cache of one worktree",
    ".pytest_cache": "a cache of one worktree",
    ".ruff_cache": "a cache of one worktree",
    ".hypothesis": "a cache of one worktree",
}
#: What editors and desktops put beside a file for a moment; a rule brings it in.
_PASSING = ("*~", ".*.sw?", ".#*", "#*#", ".DS_Store", ".nfs*", ".*.kate-swp", "*___jb_tmp___")
#: How the names of what zdriver makes beside a path begin.
BESIDE = ".zdriver-sync-"


def is_hidden(path: str, rules: Rules) -> bool:
    """Nothing to speak of: git's own, zdriver's own, an editor's for a moment."""
    name = path.rpartition("/")[2]
    if name.lower() == ".git" or name.startswith(BESIDE):
        return True
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _PASSING) and rules.of(path) is None


def refusal(path: str, rules: Rules) -> tuple[str, str] | None:
    """Why a folder is not shared, and what to do instead; None when it may be."""
    name = path.rpartition("/")[2]
    instead = (
        f'install or build it in each worktree; "{path}/" = "ignore" in sync/zdriver.toml ends this line'
    )
    if what := _NEVER.get(name):
        return f"it is {what}", instead
    what = _SELDOM.get(name)
    if what and not rules.names_below(path):
        return f"it looks like {what}", f'{instead}, "{path}/NAME" = "link" brings in a file of it'
    return None


def is_text(name: str) -> bool:
    """Whether the store and the wire can hold it: valid UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
