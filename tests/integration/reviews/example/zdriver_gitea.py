"""Pull requests of Gitea and Forgejo for `zdriver review`, with title and branch, by their web API."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from zdriver import NotFound, Unavailable
from zdriver.forges.model import Forge, Place, Request
from zdriver.hookspecs import hookimpl


class Gitea:
    name = "gitea"

    def __init__(self, repository: str) -> None:
        """repository: "https://codeberg.org/api/v1/repos/OWNER/NAME"."""
        self._repository = repository

    def request(self, number: int, place: Place) -> Request:
        seen = self._get(f"/pulls/{number}")
        return Request(
            number=number,
            ref=f"refs/pull/{number}/head",
            commit=seen["head"]["sha"],
            title=seen["title"],
            url=seen["html_url"],
            branch=seen["head"]["ref"],
            base=seen["base"]["ref"],
            state="merged" if seen["merged"] else seen["state"],
            fork=seen["head"]["repo_id"] != seen["base"]["repo_id"],
        )

    def _get(self, path: str) -> Any:
        try:
            with urlopen(self._repository + path, timeout=20) as answer:
                return json.load(answer)
        except HTTPError as error:
            error.close()
            if error.code == 404:
                raise NotFound("there is no such pull request", hint="is the number right?") from error
            raise Unavailable(f"Gitea says {error}", hint="try again later") from error
        except URLError as error:
            raise Unavailable(f"no answer: {error.reason}", hint="is the network there?") from error


@hookimpl
def zdriver_forge(remote_url: str, environ: Mapping[str, str]) -> Forge | None:
    parts = urlsplit(remote_url)
    if parts.netloc not in os.environ.get("GITEA_HOSTS", "codeberg.org").split():
        return None
    return Gitea(f"{parts.scheme}://{parts.netloc}/api/v1/repos{parts.path.removesuffix('.git')}")
