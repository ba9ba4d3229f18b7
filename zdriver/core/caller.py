"""Who asks, and from where: what a client fills in for a service that runs in another process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from zdriver.core import umask
from zdriver.core.errors import Unavailable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NAMES = _words(
    """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR EDITOR VISUAL PAGER DISPLAY WAYLAND_DISPLAY
    XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_RUNTIME_DIR GNUPGHOME GPG_TTY
    http_proxy https_proxy no_proxy all_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY
    GITHUB_TOKEN SSL_CERT_FILE SSL_CERT_DIR
    """
)
_PREFIXES = ("LC_", "SSH_", "GIT_", "GH_", "GLAB_")
#: Which repository git means: zdriver says that itself.
REPOSITORY_VARIABLES = _words(
    """
    GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_NAMESPACE GIT_PREFIX
    """
)

#: Of the process that was called, where this one stands in for it; 0: this is it.
_stood_for = 0


def stand_in_for(pid: int) -> None:
    """From now on this process does what `pid` was called for (0: it is not known)."""
    global _stood_for
    _stood_for = pid


def pids() -> tuple[int, ...]:
    """This process, and the one that was called where another does its work (a fork server's child)."""
    return (os.getpid(), _stood_for) if _stood_for > 0 else (os.getpid(),)


def agent(environ: Mapping[str, str] | None = None) -> str:
    """`$ZDRIVER_AGENT`, else `human:` and the user's name; `environ`: of another process."""
    env = os.environ if environ is None else environ
    return env.get("ZDRIVER_AGENT", "").strip() or f"human:{_user(env)}"


def _user(environ: Mapping[str, str]) -> str:
    for name in ("USER", "LOGNAME"):
        if environ.get(name):
            return environ[name]
    import pwd  # only where the environment does not say: most commands do without

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def cwd() -> str:
    """The current folder as the shell shows it (`$PWD`), links kept. Raises Unavailable."""
    try:
        real = Path.cwd()
    except OSError as error:
        raise Unavailable(
            "the current folder was deleted", hint="cd somewhere else, or name a context with --context"
        ) from error
    shown = os.environ.get("PWD", "")
    try:
        if shown.startswith("/") and Path(shown).samefile(real):
            return shown
    except OSError:
        pass
    return str(real)


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What git, gh and hooks may need of the caller's environment, and its umask; or of `environ`."""
    found = {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if (name in _NAMES or name.startswith(_PREFIXES))
        and name not in REPOSITORY_VARIABLES
        and _is_text(value)
    }
    return {**found, umask.VARIABLE: f"{umask.own():o}"} if environ is None else found


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
