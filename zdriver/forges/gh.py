"""GitHub, asked through its own program `gh` with the caller's login.

`gh pr view --json`: https://cli.github.com/manual/gh_pr_view. Where the remote is surely GitHub's
(github.com, *.ghe.com, $GH_HOST) the repository is named outright. Of other remotes only gh itself
knows whether they are one of its hosts; it is asked, and whatever it says but a pull request means no.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping

import msgspec

from zdriver.core.conversing import converse
from zdriver.core.errors import NotFound, Unavailable
from zdriver.core.redact import redact_text
from zdriver.forges.model import Declined, Forge, Place, Request
from zdriver.forges.urls import address
from zdriver.hookspecs import hookimpl

FIELDS = (
    "number,title,url,headRefName,headRefOid,headRepository,headRepositoryOwner,isCrossRepository,"
    "baseRefName,state"
)
#: seconds
_PATIENCE = 30.0
#: So that it neither asks, nor colours, nor looks for a newer one of itself.
_QUIET = {"GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1", "CLICOLOR_FORCE": "0"}
_LOGGED_OUT = re.compile(r"gh auth (login|refresh)|HTTP 401|Bad credentials", re.IGNORECASE)
_NO_REQUEST = re.compile(r"Could not resolve to a PullRequest|no pull requests? found", re.IGNORECASE)


class _Seen(msgspec.Struct, rename="camel", kw_only=True):
    """What `gh pr view --json` prints, as far as it is used."""

    title: str = ""
    url: str = ""
    head_ref_name: str = ""
    head_ref_oid: str = ""
    is_cross_repository: bool = True
    base_ref_name: str = ""
    state: str = ""


class Gh:
    name = "gh"

    def __init__(self, program: str, repository: str, patience: float = _PATIENCE) -> None:
        """repository: "HOST/OWNER/NAME"; "" when it is not sure that the remote is GitHub's."""
        self._program = program
        self._repository = repository
        self._patience = patience

    def request(self, number: int, place: Place) -> Request:
        named = ("--repo", self._repository) if self._repository else ()
        try:
            out = self._ask(("pr", "view", str(number), *named, "--json", FIELDS), place)
            seen = msgspec.json.decode(out, type=_Seen)
        except msgspec.DecodeError as error:
            raise self._no(f"what gh says is not understood: {error}", "is gh 2.0 or newer?") from error
        return Request(
            number=number,
            ref=f"refs/pull/{number}/head",
            commit=seen.head_ref_oid,
            title=seen.title,
            url=seen.url,
            branch=seen.head_ref_name,
            base=seen.base_ref_name,
            state=seen.state.lower(),
            fork=seen.is_cross_repository,
        )

    def _ask(self, args: tuple[str, ...], place: Place) -> bytes:
        """Raises NotFound, Unavailable, Declined."""
        try:
            process = subprocess.Popen(
                [self._program, *args],
                cwd=place.folder,
                env={**place.environ, **_QUIET},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise self._no(f"gh cannot be started: {error.strerror}", "is it installed right?") from error
        try:
            out, err = converse(process, timeout=self._patience, linger=1)
        except subprocess.TimeoutExpired as error:
            raise self._no(f"gh did not answer in {self._patience:g} s", "is the network there?") from error
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for pipe in (process.stdout, process.stderr):  # whoever else has them is not waited for
                if pipe is not None:
                    pipe.close()
        if process.returncode:
            raise self._why(err.decode("utf-8", "replace"), args)
        return out

    def _why(self, said: str, args: tuple[str, ...]) -> Exception:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        if _NO_REQUEST.search(said) and self._repository:
            return NotFound(
                f"{self._repository} has no pull request {args[2]}",
                hint="is the number right? `gh pr list` shows the open ones",
            )
        if _LOGGED_OUT.search(said):
            return self._no("gh is not logged in", "gh auth login")
        words = redact_text("; ".join(lines[-2:]))[0] or "no reason given"
        return self._no(f"gh: {words}", "run the same yourself: gh " + " ".join(args[:3]))

    def _no(self, message: str, hint: str) -> Unavailable:
        return (Unavailable if self._repository else Declined)(message, hint=hint)


@hookimpl
def zdriver_forge(remote_url: str, environ: Mapping[str, str]) -> Forge | None:
    program = shutil.which("gh", path=environ.get("PATH", os.defpath))
    return None if program is None else Gh(program, repository(remote_url, environ.get("GH_HOST", "")))


def repository(remote_url: str, gh_host: str = "") -> str:
    """ "HOST/OWNER/NAME" where the remote is surely GitHub's, else ""."""
    where = address(remote_url)
    if where is None or where.path.count("/") != 1:
        return ""
    host = "github.com" if where.host in ("ssh.github.com", "www.github.com") else where.host
    sure = host == "github.com" or host.endswith(".ghe.com") or (gh_host and host == gh_host.lower())
    return f"{host}/{where.path}" if sure else ""
