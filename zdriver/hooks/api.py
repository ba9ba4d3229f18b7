"""What can be asked of a repository's hooks: the same in-process, over the socket and on the wire.

`worktree` is a name as everywhere (`feat-user-auth`, a unique short one, a path); "" means the one
the caller stands in. Hooks are not run here: `zdriver.hooks.running.run` does that in the process
that has the user's terminal.
"""

from __future__ import annotations

from typing import Protocol

from zdriver.hooks.model import Hook, HookName, HookRun


class HooksApi(Protocol):
    """Service name: `hooks`."""

    def list(self, worktree: str = "", *, cwd: str = "") -> tuple[Hook, ...]:
        """What its `.zdriver.toml` has. Raises InvalidInput when that is broken, NotFound."""
        ...

    def pending(self, worktree: str, hook: HookName, *, cwd: str = "") -> HookRun | None:
        """What is to be run; None when there is no such hook. Raises InvalidInput, NotFound.

        Ask for `post-remove` before the removal: afterwards its file is gone.
        """
        ...

    def approve(
        self, worktree: str, hook: HookName, *, digest: str, cwd: str = "", request: str = ""
    ) -> Hook:
        """Allow the text with this digest to run for this repository, until it changes.

        Raises Conflict when the file has another text by now, NotFound when it has none.
        """
        ...

    def revoke(self, worktree: str, hook: HookName, *, cwd: str = "", request: str = "") -> int:
        """Take back every approval of that hook in this repository; how many there were."""
        ...
