"""A repository's configuration, as git itself puts it together (includes, user's, worktree's)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from zdriver.git import calling, porcelain
from zdriver.git.targets import in_repo

Settings = Mapping[str, list[str]]


def settings(git_dir: str, env: Mapping[str, str] | None = None) -> Settings:
    """Values by name: one git process. Raises what `calling.read` raises."""
    found = porcelain.config(calling.read(in_repo(git_dir), ("config", "--list", "-z"), env=env).out)
    if "core.repositoryformatversion" not in found:
        # `git config` passes over a repository that git refuses, without a word: let it say why.
        calling.read(in_repo(git_dir), ("rev-parse", "--git-dir"), env=env)
    return found


def one(found: Settings, name: str) -> str:
    """The value that counts; "" without one."""
    values = found.get(name)
    return values[-1] if values else ""


def true(found: Settings, name: str) -> bool:
    """git-config(1), boolean."""
    return one(found, name).lower() in ("true", "yes", "on", "1")


def remotes(found: Settings) -> list[str]:
    """Names, origin first, the others as they stand in the file."""
    names = dict.fromkeys(
        name.removeprefix("remote.").removesuffix(".url")
        for name in found
        if name.startswith("remote.") and name.endswith(".url")
    )
    return sorted(names, key=lambda name: name != "origin")


def remote_url(found: Settings, remote: str) -> str:
    """URL without user and password."""
    values = found.get(f"remote.{remote}.url")
    return without_secrets(values[0]) if values else ""


def without_secrets(url: str) -> str:
    """`https://user:token@host/x` → `https://host/x`. `git@host:x` has no secret and stays."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        user = parts.username or ""
    except ValueError:
        return url
    if parts.scheme.startswith("http") or parts.password is not None:
        user = "" if parts.scheme.startswith("http") else user
        return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host))
    return url
