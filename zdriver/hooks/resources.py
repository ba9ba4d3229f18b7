"""What `.zdriver.toml` gives a worktree besides hooks: copies of untracked files, and ports.

`zdriver.worktrees.ports.Resources`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zdriver.core.errors import ZdriverError
from zdriver.hooks import repofile
from zdriver.hooks.leasing import Leases
from zdriver.worktrees.model import Provided, Repo, Worktree

if TYPE_CHECKING:
    from zdriver.hooks.copying import Copied


class RepoResources:
    """Thread-safe: all state is in the store and in the file system."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases

    def provide(self, worktree: Worktree, repo: Repo) -> Provided:
        """Copy what is to be copied, lease the ports. Applied twice is applied once.

        Nothing here is a reason to be without the worktree: what goes wrong is a warning.
        """
        copied: Copied | None = None
        warnings: list[str] = []
        try:
            copied = self._copy(worktree, repo)
        except ZdriverError as error:
            warnings.append(_told(error))
        except OSError as error:
            warnings.append(f"nothing was copied from the trunk: {error.strerror}: {error.filename}")
        try:
            if not worktree.trunk and (wanted := repofile.wishes(worktree.path).ports):
                self._leases.lease(worktree, repo, wanted)
        except ZdriverError as error:
            warnings.append(_told(error))
        return Provided(
            copies=0 if copied is None else copied.count,
            environment=self.environment(worktree, repo),
            warnings=tuple(dict.fromkeys((*warnings, *(() if copied is None else copied.warnings)))),
        )

    def environment(self, worktree: Worktree, repo: Repo) -> dict[str, str]:
        """What hooks and `zdriver worktree env` get: its names, and a port in each variable leased."""
        return {
            "ZDRIVER_WORKTREE": worktree.name,
            "ZDRIVER_WORKTREE_PATH": worktree.path,
            "ZDRIVER_BRANCH": worktree.branch,
            "ZDRIVER_REPO": repo.trunk or repo.git_dir,
            **{variable: str(port) for variable, port in self._leases.held(worktree.id).items()},
        }

    def free(self, worktree_id: str) -> None:
        self._leases.free(worktree_id)

    def _copy(self, worktree: Worktree, repo: Repo) -> Copied | None:
        """None: nothing is wanted. Raises ZdriverError, OSError."""
        if worktree.trunk or not repo.trunk or not (globs := repofile.globs(worktree, repo)):
            return None
        from zdriver.git.untracked import untracked
        from zdriver.hooks.copying import copy_files

        return copy_files(repo.trunk, worktree.path, untracked(repo.trunk, globs))


def _told(error: ZdriverError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message
