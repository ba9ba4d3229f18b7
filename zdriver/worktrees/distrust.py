"""What git must not run in a checkout of somebody else's commits."""

from __future__ import annotations

from collections.abc import Mapping

from zdriver.git import settings


def without_their_hooks(git_dir: str, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ`, in which git runs no hook of its own out of the checkout.

    With a relative `core.hooksPath` (as husky sets it) post-checkout and post-merge are files of the
    very commits that are checked out. Hooks elsewhere are the user's, and run. The configuration is
    given by the environment, as git-config(1) has it. Raises what git says.
    """
    path = settings.one(settings.settings(git_dir, environ), "core.hookspath")
    if not path or path.startswith(("/", "~")):
        return dict(environ)
    given = environ.get("GIT_CONFIG_COUNT", "")
    count = int(given) if given.isascii() and given.isdigit() else 0
    return {
        **environ,
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": "core.hooksPath",
        f"GIT_CONFIG_VALUE_{count}": "/dev/null",
    }
