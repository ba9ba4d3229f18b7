"""What is at a path of a worktree, as far as the planner asks. Changes nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from zdriver.sync.planner import Found, Recorded, Wanted
from zdriver.sync.sources import digest

#: Names looked at in a folder that stands where a link to a folder belongs.
_MOST = 2000


class Look:
    """One worktree, at one moment. `top` and `container` are absolute, links resolved."""

    def __init__(self, top: str, container: str) -> None:
        self._top = top
        self._container = container
        #: folder → None: it is one; Found: nothing, or what is in the way
        self._folders: dict[str, Found | None] = {"": None}

    def at(self, path: str, want: Wanted | None, was: Recorded | None) -> Found:
        """Raises OSError when it cannot be looked at."""
        above = self.folder(path.rpartition("/")[0])
        if above is not None:
            return above
        whole = f"{self._top}/{path}"
        try:
            mode = os.lstat(whole).st_mode
        except FileNotFoundError:
            return Found()
        if stat.S_ISLNK(mode):
            return self._link(whole, want)
        if stat.S_ISREG(mode):
            read = "copy" in (want and want.kind, was and was.kind)
            return Found("file", digest(whole) if read else "")
        if stat.S_ISDIR(mode):
            inside = frozenset(self._inside(path)) if want else frozenset()
            return Found("folder", inside=inside)
        return Found("other")

    def _link(self, whole: str, want: Wanted | None) -> Found:
        text = os.readlink(whole)
        if want is None or text == want.content:
            return Found("link", text)
        try:
            reaches = os.path.samefile(whole, f"{self._container}/{want.source}")
        except OSError:
            reaches = False
        return Found("link", text, reaches=reaches)

    def folder(self, path: str) -> Found | None:
        """None when `path` is a folder that files may be put into; else what is there instead."""
        if path not in self._folders:
            self._folders[path] = self._judged(path)
        return self._folders[path]

    def _judged(self, path: str) -> Found | None:
        above = self.folder(path.rpartition("/")[0])
        if above is not None:
            return above
        whole = f"{self._top}/{path}"
        try:
            mode = os.lstat(whole).st_mode
        except FileNotFoundError:
            return Found()
        if not stat.S_ISDIR(mode):
            what = "link" if stat.S_ISLNK(mode) else "file"
            return Found("blocked", why=f"{path} is a {what} there, not a folder", by=path)
        if os.path.lexists(f"{whole}/.git"):
            return Found("blocked", why=f"{path} is a repository of its own there")
        return None

    def made_for(self, path: str, made: Callable[[str], bool]) -> int:
        """How many of the folders right above `path`, where something can be made, are not there yet
        (a link of ours may be, that goes before) or were `made` by us.
        """
        count, folder = 0, path.rpartition("/")[0]
        while folder and (self.folder(folder) is not None or made(folder)):
            count, folder = count + 1, folder.rpartition("/")[0]
        return count

    def _inside(self, folder: str) -> list[str]:
        found: list[str] = []
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            with os.scandir(f"{self._top}/{here}") as entries:
                for entry in entries:
                    into = waiting if entry.is_dir(follow_symlinks=False) else found
                    into.append(f"{here}/{entry.name}")
            if len(found) > _MOST:
                return [folder]  # never all ours
        return found
