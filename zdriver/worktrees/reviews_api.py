"""What can be asked of reviews: the same in-process, over the socket and on the wire."""

from __future__ import annotations

from typing import Protocol

from zdriver.worktrees.model import Reviewed


class ReviewsApi(Protocol):
    """Service name: `reviews`. They are removed like every worktree."""

    def review(
        self,
        number: int | str,
        *,
        remote: str = "",
        token: int = 0,
        cwd: str = "",
        agent: str = "",
        env: dict[str, str] | None = None,
        request: str = "",
    ) -> Reviewed:
        """Make `review-NUMBER` on the pull request's branch, or bring it up to date.

        number  123, or the URL of its page, which says whose it is
        remote  whose pull request; "": of a known one the same as before, else the one that
                `gh repo set-default` chose, upstream, origin, or the only one there is

        What is only here stays: then the answer has the reason. Raises InvalidInput, NotFound (no
        such pull request, no remote), Conflict (held by another agent; `review-NUMBER` is of another
        remote), Unavailable.
        """
        ...
