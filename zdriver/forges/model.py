"""What a forge is to zdriver: it says where a pull request's commits are, and what it is called."""

from __future__ import annotations

from typing import Protocol

import msgspec

from zdriver.core.errors import Unavailable


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which repository is asked about, and on whose behalf."""

    git_dir: str  #: absolute, the common git folder
    folder: str  #: absolute, a folder in which programs may run: the trunk, else the git folder
    remote: str  #: the remote's name: "origin"
    remote_url: str  #: as it is configured, without user and password
    environ: dict[str, str]  #: of the caller, as far as git and forges need it: PATH, HOME, tokens …


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request (elsewhere: a merge request) as its forge has it now. Texts are not trusted."""

    number: int
    ref: str  #: full name of the ref on the remote that holds its head: "refs/pull/123/head"
    commit: str = ""  #: that its head is, as 40 (or 64) hex digits; "": not known before it is fetched
    title: str = ""
    url: str = ""
    branch: str = ""  #: what its branch is called where it comes from; "": not known
    base: str = ""  #: the branch it is to be merged into; "": not known
    state: str = ""  #: "open", "closed", "merged"; "": not known
    fork: bool = True  #: False: its branch lies in the very repository that was asked


class Forge(Protocol):
    """One kind of forge. An instance is made for one remote URL."""

    name: str  #: shown to the user

    def request(self, number: int, place: Place) -> Request:
        """Ask for a pull request.

        Raises NotFound when there is none of that number (nobody else is asked then), Unavailable
        when it cannot be said now (the next forge is asked, and the user hears why), Declined when
        the remote turns out not to be this forge's.
        """
        ...


class Declined(Unavailable):
    """Not mine: the next forge is asked, and nobody hears of it."""
