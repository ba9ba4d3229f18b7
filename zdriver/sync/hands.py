"""What changes a worktree: each step whole or not at all, and only where things are as they were seen.

Others work in the worktree meanwhile. So folders are opened one by one without following links, a
new name never replaces another one, and what is replaced or taken away is first moved to a name
beside it, looked at again, and put back if it is not what was meant.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from typing import Literal

from zdriver.core.renaming import NotSupported, exchange, rename_new
from zdriver.sync.planner import Found, Recorded, Wanted
from zdriver.sync.rules import BESIDE
from zdriver.sync.sources import digest
from zdriver.sync.steps import reach

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_MOST_OPEN = 64


class InTheWay(OSError):
    """Something else came there since it was looked at."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EEXIST, "something came there meanwhile", path)


class Hands:
    """One worktree. A context manager. Every method raises InTheWay and other OSErrors."""

    def __init__(self, top: str, container: str, mark: str) -> None:
        """mark: names whose hands these are, where several homes share a container."""
        self._container = container
        self._mark = mark
        self._fds = {"": os.open(top, _OPEN & ~os.O_NOFOLLOW)}
        self._mode = os.fstat(self._fds[""]).st_mode & 0o777

    def __enter__(self) -> Hands:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    # ---- the steps ------------------------------------------------------------------------

    def make(self, path: str, want: Wanted) -> str:
        """Put it where nothing is; the content it has (a source may change while it is copied)."""
        folder, name = self._place(path, make=True)
        if want.kind == "link":
            try:
                os.symlink(want.content, name, dir_fd=folder)
            except FileExistsError:
                self._clear_folders(path, folder, name)
                os.symlink(want.content, name, dir_fd=folder)
            return want.content
        fresh, content = self._written(folder, name, want)
        reach("written")
        try:
            try:
                _into_place(folder, fresh, name)
            except FileExistsError:
                self._clear_folders(path, folder, name)
                _into_place(folder, fresh, name)
        except OSError as error:
            os.unlink(fresh, dir_fd=folder)
            raise InTheWay(path) from error
        return content

    def replace(self, path: str, want: Wanted, was: Found) -> str:
        """Put it where `was` is."""
        folder, name = self._place(path, make=False)
        self.settle(path, {was.content, want.content})
        fresh, content = self._written(folder, name, want)
        beside = self._beside("old", name)
        _into_place(folder, fresh, beside)
        reach("prepared")
        try:
            exchange(folder, beside, name)
        except FileNotFoundError as error:  # it went meanwhile: nothing is there
            os.unlink(beside, dir_fd=folder)
            raise InTheWay(path) from error
        except NotSupported:
            if not _is(folder, name, was):
                os.unlink(beside, dir_fd=folder)
                raise InTheWay(path) from None
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
            return content
        reach("exchanged")
        if not _is(folder, beside, was):
            exchange(folder, beside, name)
            os.unlink(beside, dir_fd=folder)
            raise InTheWay(path)
        os.unlink(beside, dir_fd=folder)
        return content

    def remove(self, path: str, was: Recorded, folders: int) -> None:
        """Take away what is as `was`, and the folders that were made for it, as far as nothing is in them."""
        folder, name = self._place(path, make=False)
        self.settle(path, {was.content})
        seen = Found("link" if was.kind == "link" else "file", was.content)
        beside = self._beside("old", name)
        try:
            rename_new(folder, name, beside)
        except NotSupported:
            if not _is(folder, name, seen):
                raise InTheWay(path) from None
            beside = name
        reach("aside")
        if not _is(folder, beside, seen):
            rename_new(folder, beside, name)
            raise InTheWay(path)
        os.unlink(beside, dir_fd=folder)
        self.clear(path, folders)

    def clear(self, path: str, folders: int) -> None:
        """Take away the folders that were made for `path`, as far as nothing is in them."""
        above = path.rpartition("/")[0]
        for _ in range(folders):
            if not above or not self._rmdir(above):
                break
            above = above.rpartition("/")[0]

    def keep(self, path: str, aside: str) -> Found:
        """Copy what is there to the file `aside`; what it was. Only links and files."""
        folder, name = self._place(path, make=False)
        os.makedirs(os.path.dirname(aside), mode=0o700, exist_ok=True)
        try:
            text = os.readlink(name, dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EINVAL:  # it is no link
                raise
        else:
            os.symlink(text, aside)
            return Found("link", text)
        out = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            content = _copy(folder, name, out, follow=False)
            os.fsync(out)
        finally:
            os.close(out)
        return Found("file", content)

    def settle(self, path: str, ours: set[str]) -> None:
        """Take away what a killed application left beside `path`; what is not in `ours` is put back.

        That is also what `--force` was about to replace: it was not told yet that it had.

        ours  link texts and SHA-256 of what may be thrown away
        """
        try:
            folder, name = self._place(path, make=False)
        except (FileNotFoundError, InTheWay):
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._beside("new", name), dir_fd=folder)
        beside = self._beside("old", name)
        try:
            kept = _seen(folder, beside)[1]
        except FileNotFoundError:
            return
        if kept in ours:
            os.unlink(beside, dir_fd=folder)
            return
        with contextlib.suppress(NotSupported):
            try:
                rename_new(folder, beside, name)
            except FileExistsError:
                if _seen(folder, name)[1] in ours:
                    exchange(folder, beside, name)
                    os.unlink(beside, dir_fd=folder)

    # ---- inside ---------------------------------------------------------------------------

    def _beside(self, what: Literal["new", "old"], name: str) -> str:
        """ "new" is always ours and may be half written; "old" is whole: ours, or for a moment somebody's."""
        text = f"{self._mark}/".encode() + os.fsencode(name)
        return f"{BESIDE}{what}-{hashlib.sha256(text).hexdigest()[:20]}"

    def _place(self, path: str, *, make: bool) -> tuple[int, str]:
        """The folder's descriptor and the name in it."""
        above, _, name = path.rpartition("/")
        return self._folder(above, make), name

    def _folder(self, path: str, make: bool) -> int:
        if (known := self._fds.get(path)) is not None:
            return known
        above, _, name = path.rpartition("/")
        parent = self._folder(above, make)
        try:
            try:
                fd = os.open(name, _OPEN, dir_fd=parent)
            except FileNotFoundError:
                if not make:
                    raise
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=parent)
                fd = os.open(name, _OPEN, dir_fd=parent)
                os.fchmod(fd, self._mode)  # as the worktree's own, whatever the umask is here
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise InTheWay(path) from error
            raise
        if len(self._fds) >= _MOST_OPEN:
            self._forget_folders(but=above)
        self._fds[path] = fd
        return fd

    def _forget_folders(self, but: str) -> None:
        for path in [path for path in self._fds if path and path != but]:
            os.close(self._fds.pop(path))

    def _rmdir(self, path: str) -> bool:
        above, _, name = path.rpartition("/")
        try:
            os.rmdir(name, dir_fd=self._folder(above, make=False))
        except OSError:
            return False
        if (fd := self._fds.pop(path, None)) is not None:
            os.close(fd)
        return True

    def _clear_folders(self, path: str, folder: int, name: str) -> None:
        """Folders in which nothing is left give way to a link. Raises InTheWay."""
        self._forget_folders(but=path.rpartition("/")[0])
        try:
            for _, below, _, fd in os.fwalk(name, topdown=False, dir_fd=folder, follow_symlinks=False):
                for each in below:
                    os.rmdir(each, dir_fd=fd)
            os.rmdir(name, dir_fd=folder)
        except OSError as error:
            raise InTheWay(path) from error

    def _written(self, folder: int, name: str, want: Wanted) -> tuple[str, str]:
        """Its name beside `name`, and its content."""
        fresh = self._beside("new", name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=folder)
        if want.kind == "link":
            os.symlink(want.content, fresh, dir_fd=folder)
            return fresh, want.content
        out = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            content = _copy(None, f"{self._container}/{want.source}", out, follow=True)
        except BaseException:
            os.unlink(fresh, dir_fd=folder)
            raise
        finally:
            os.close(out)
        return fresh, content


def _into_place(folder: int, fresh: str, name: str) -> None:
    """Raises FileExistsError when something is called `name`."""
    try:
        rename_new(folder, fresh, name)
    except NotSupported:
        os.link(fresh, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(fresh, dir_fd=folder)


def _copy(folder: int | None, name: str, out: int, *, follow: bool) -> str:
    """The content's SHA-256. The executable bits and rights come along."""
    source = os.open(
        name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW), dir_fd=folder
    )
    try:
        made = hashlib.sha256()
        while data := os.read(source, _CHUNK):
            made.update(data)
            view = memoryview(data)
            while view:
                view = view[os.write(out, view) :]
        os.fchmod(out, os.fstat(source).st_mode & 0o777)
    finally:
        os.close(source)
    return made.hexdigest()


def _is(folder: int, name: str, was: Found) -> bool:
    try:
        return _seen(folder, name) == (was.kind, was.content)
    except OSError:
        return False  # not ours to judge: it goes back


def _seen(folder: int, name: str) -> tuple[str, str]:
    """(kind, a link's text or a file's SHA-256). Raises OSError, of a socket too."""
    try:
        return "link", os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    try:
        return ("file", digest(fd)) if stat.S_ISREG(os.fstat(fd).st_mode) else ("other", "")
    finally:
        os.close(fd)
