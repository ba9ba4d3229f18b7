"""Remote URLs taken apart. Forms: git-fetch(1), GIT URLS. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

_SCP = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!/{2})(.+)")


class Address(NamedTuple):
    host: str  #: lower case, without port
    path: str  #: "owner/name", without ".git"


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
