"""Remote URLs, and those of pull requests, taken apart. Forms: git-fetch(1), GIT URLS. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

#: What follows the repository's path: GitHub, GitLab, Gitea and Forgejo, Bitbucket.
_REQUEST = re.compile(
    r"/(.+?)(?:/pull/|(?:/-)?/merge_requests/|/pulls/|/pull-requests/)([0-9]{1,10})(?:/.*)?", re.ASCII
)
_NUMBER = re.compile(r"[#!]?([0-9]{1,10})", re.ASCII)
_SCP = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!/{2})(.+)")


class Address(NamedTuple):
    host: str  #: lower case, without port
    path: str  #: "owner/name", without ".git"


class Asked(NamedTuple):
    number: int
    where: Address | None = None  #: the repository that a URL names; None for a number alone


def pull_request(text: str) -> Asked | None:
    """`123`, `#123`, `!7`, or the URL of a pull request's page; None for what is neither."""
    text = text.strip()
    if found := _NUMBER.fullmatch(text):
        return Asked(int(found[1]))
    if not text.lower().startswith(("https://", "http://")):
        return None
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return None
    found = _REQUEST.fullmatch(parts.path)
    return Asked(int(found[2]), Address(host, found[1])) if host and found else None


def same(one: Address, other: Address) -> bool:
    """Whether both are one repository: hosts have names beside, and paths ignore case."""
    return _plain(one) == _plain(other)


def _plain(of: Address) -> tuple[str, str]:
    host = of.host.removeprefix("www.").removeprefix("altssh.")
    return ("github.com" if host == "ssh.github.com" else host), of.path.lower()


def address(url: str) -> Address | None:
    """None for a path on this machine and what cannot be read."""
    if "://" in url:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            return None
        path = parts.path
        if parts.scheme == "file":
            return None
    elif (found := _SCP.fullmatch(url)) and not url.startswith(("/", ".")):
        host, path = found[1].lower(), found[2]
    else:
        return None
    path = path.strip("/").removesuffix(".git")
    return Address(host, path) if host and path else None


def identity(url: str) -> str:
    """One form for every way to write a remote: `git@github.com:O/r.git` is `https://github.com/o/r`.

    A path is itself, so that machines which share a folder agree; "" for none, and for one that is
    relative and so means something else everywhere.
    """
    found = address(url)
    if found is not None:
        return "/".join(_plain(found))
    path = url.removeprefix("file://").rstrip("/").removesuffix(".git")
    return path if path.startswith("/") else ""
