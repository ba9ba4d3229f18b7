"""What a container's sync/ has: read from the disk, judged file by file.

`sync/global` and `sync/repo` hold the same tree twice; the second goes before the first. Only plain
files are shared, and links to them; a folder is shared file by file, so that a worktree may have
files of its own beside the shared ones.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from zdriver.core.errors import InvalidInput, Unavailable
from zdriver.sync import rules as fit
from zdriver.sync.model import FOLDER, LAYERS, RULES, Layer, Refused
from zdriver.sync.patterns import Rules, parse

#: Whole paths, each with all below it; None: everything.
Scope = tuple[str, ...] | None
_RULES_MOST = 1 << 20  #: bytes
_CHUNK = 1 << 20
#: Folders within each other; what is deeper was not put there by a person.
DEEPEST = 100


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file that every worktree should have."""

    path: str  #: relative to the worktree, and to its layer
    layer: Layer
    kind: str  #: "link" or "copy"

    @property
    def source(self) -> str:
        """Relative to the container."""
        return f"{FOLDER}/{self.layer}/{self.path}"


class Sources(msgspec.Struct, kw_only=True):
    """What there is within a scope."""

    files: dict[str, Source] = {}
    scope: Scope = None  #: as it was widened to whole folders
    hidden: list[str] = []
    refused: list[Refused] = []
    remarks: list[Refused] = []
    links: dict[str, int] = {}  #: repo/.env, where sync/ has a link → what is at its end, see `end_of`


def exists(container: str) -> bool:
    """Whether there is anything to share, or to follow. Raises Unavailable when sync/ cannot be read."""
    top = Path(container, FOLDER)
    try:
        top.stat()
    except FileNotFoundError:
        if top.is_symlink():
            raise Unavailable(
                f"{top} is a link that leads nowhere",
                hint=f"mount what it leads to, or remove {top}; until then nothing is changed",
            ) from None
        return False
    except OSError as error:
        raise _unreadable(str(top), error) from error
    return any(Path(top, layer).is_dir() for layer in LAYERS)


def is_empty(container: str) -> bool:
    """sync/ is there, and nothing in it. Raises Unavailable."""
    top = Path(container, FOLDER)
    try:
        with os.scandir(top) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unreadable(str(top), error) from error


def load_rules(container: str) -> Rules:
    """Of `sync/zdriver.toml`. Raises InvalidInput that names file and line, Unavailable."""
    file = Path(container, FOLDER, RULES)
    try:
        with file.open("rb") as opened:
            data = opened.read(_RULES_MOST + 1)
    except FileNotFoundError:
        return Rules()
    except OSError as error:
        raise _unreadable(str(file), error) from error
    if len(data) > _RULES_MOST:
        raise InvalidInput(f"{file} has more than {_RULES_MOST:,} bytes", hint="it needs a line per pattern")
    try:
        return parse(data.decode(), str(file))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{file}:{line}: not UTF-8", hint="save it as UTF-8") from error


def scan(container: str, rules: Rules, scope: Scope = None) -> Sources:
    """Everything in `scope`. Raises Unavailable when sync/ itself cannot be read."""
    look = _Look(container, rules)
    wide = None if scope is None else look.widened(scope)
    found: dict[Layer, dict[str, Source]] = {}
    for layer in LAYERS:
        found[layer] = {}
        for path in ("",) if wide is None else wide:
            found[layer].update((each.path, each) for each in look.below(layer, path))
    files, hidden = _merged(found["repo"], found["global"])
    return Sources(
        files=files, scope=wide, hidden=hidden, refused=look.refused, remarks=look.remarks, links=look.links
    )


def end_of(container: str, link: str) -> int:
    """The kind of file (stat.S_IFMT) that a link of sync/ leads to; 0: to nothing."""
    try:
        return stat.S_IFMT(os.stat(f"{container}/{FOLDER}/{link}").st_mode)
    except OSError:
        return 0


def folders(container: str, rules: Rules, below: str = "") -> Iterator[str]:
    """Folders to follow, relative to sync/ ("repo/config"): those that `scan` goes into, `below` first."""
    look = _Look(container, rules)
    if not below:
        for layer in LAYERS:
            yield from look.entered(layer, "")
        return
    named, _, path = below.partition("/")
    for layer in LAYERS:
        if layer == named:
            yield from look.entered(layer, path)


def digest(path: str | int) -> str:
    """SHA-256 of a file's content, by path or descriptor. Raises OSError."""
    made = hashlib.sha256()
    with open(path, "rb", buffering=0, closefd=isinstance(path, str)) as file:
        while data := file.read(_CHUNK):
            made.update(data)
    return made.hexdigest()


def _merged(repo: dict[str, Source], shared: dict[str, Source]) -> tuple[dict[str, Source], list[str]]:
    """What counts of both layers, and which paths of sync/global do not."""
    if not repo or not shared:
        return {**shared, **repo}, []
    folders = {above for path in repo for above in parents(path)}
    hidden = [
        path
        for path in shared
        if path in repo or path in folders or any(above in repo for above in parents(path))
    ]
    gone = set(hidden)
    return {**{path: each for path, each in shared.items() if path not in gone}, **repo}, sorted(hidden)


def parents(path: str) -> Iterator[str]:
    """The folders above a relative path, the topmost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


class _Look:
    """One walk through both layers."""

    def __init__(self, container: str, rules: Rules) -> None:
        self._top = os.path.join(container, FOLDER)
        self._real = os.path.realpath(self._top)
        self._rules = rules
        self.refused: list[Refused] = []
        self.remarks: list[Refused] = []
        self.links: dict[str, int] = {}

    def _at(self, layer: Layer, path: str) -> str:
        return f"{self._top}/{layer}/{path}" if path else f"{self._top}/{layer}"

    def widened(self, scope: Iterable[str]) -> tuple[str, ...]:
        """Where something above a path is no folder to go into, that one is meant. None lies in another."""
        wide = {next((above for above in parents(path) if not self._is_way(above)), path) for path in scope}
        if "" in wide:
            return ("",)
        return tuple(sorted(path for path in wide if not any(above in wide for above in parents(path))))

    def _is_way(self, path: str) -> bool:
        """A folder in at least one layer, nothing else in the other, and gone into."""
        found = [entry for layer in LAYERS if (entry := _lstat(self._at(layer, path))) is not None]
        return bool(found) and all(stat.S_ISDIR(entry.st_mode) for entry in found) and self._enters(path)

    def _enters(self, path: str) -> bool:
        return (
            not fit.is_hidden(path, self._rules)
            and fit.is_text(path)
            and fit.refusal(path, self._rules) is None
            and self._rules.of_folder(path) not in ("ignore", "link")
            and path.count("/") < DEEPEST
        )

    def below(self, layer: Layer, path: str) -> Iterator[Source]:
        """What a path, or a layer (""), has to share."""
        if path:
            entry = _lstat(self._at(layer, path))
            if entry is not None:
                yield from self._judged(layer, path, entry.st_mode)
            return
        try:
            there = os.stat(self._at(layer, ""))
        except FileNotFoundError as error:
            if os.path.islink(self._at(layer, "")):
                raise _unreadable(self._at(layer, ""), error) from error
            return
        except OSError as error:
            raise _unreadable(self._at(layer, ""), error) from error
        if not stat.S_ISDIR(there.st_mode):
            raise Unavailable(
                f"{self._at(layer, '')} is no folder", hint="make it one; until then nothing is changed"
            )
        yield from self._inside(layer, "")

    def _inside(self, layer: Layer, folder: str) -> Iterator[Source]:
        here = self._at(layer, folder)
        try:
            with os.scandir(here) as entries:
                found = sorted((entry.name, entry.is_symlink()) for entry in entries)
        except (FileNotFoundError, NotADirectoryError):  # another thing since it was looked at
            return
        except OSError as error:
            # What is in it may be there all the same: taking out its links would be wrong.
            raise _unreadable(here, error) from error
        for name, _ in found:
            path = f"{folder}/{name}" if folder else name
            entry = _lstat(f"{here}/{name}")
            if entry is not None:
                yield from self._judged(layer, path, entry.st_mode)

    def _judged(self, layer: Layer, path: str, mode: int) -> Iterator[Source]:
        if fit.is_hidden(path, self._rules):
            return
        if not fit.is_text(path):
            self._refuse(layer, path, "its name is not UTF-8", "rename it")
        elif stat.S_ISDIR(mode):
            yield from self._folder(layer, path)
        elif self._rules.of(path) == "ignore":
            return
        elif stat.S_ISREG(mode):
            yield self._source(layer, path, self._rules.of(path))
        elif stat.S_ISLNK(mode):
            yield from self._link(layer, path)
        else:
            self._refuse(
                layer, path, f"it is {_KINDS.get(stat.S_IFMT(mode), 'no file')}", "only files are shared"
            )

    def _folder(self, layer: Layer, path: str) -> Iterator[Source]:
        mode = self._rules.of_folder(path)
        if mode == "ignore":
            return
        if path.count("/") >= DEEPEST:
            self._refuse(layer, path, f"it lies more than {DEEPEST} folders deep", "move it up")
        elif (refusal := fit.refusal(path, self._rules)) is not None:
            self._refuse(layer, path, *refusal)
        elif mode == "link":
            yield self._source(layer, path, "link")
        else:
            yield from self._inside(layer, path)

    def _link(self, layer: Layer, path: str) -> Iterator[Source]:
        """A link in sync/: shared when a file is at its end; it may lead anywhere, and that is said."""
        self.links[f"{layer}/{path}"] = 0
        try:
            end = os.path.realpath(self._at(layer, path), strict=True)
            mode = os.stat(end).st_mode
            self.links[f"{layer}/{path}"] = stat.S_IFMT(mode)
        except OSError as error:
            self._refuse(
                layer, path, f"it is a link that leads nowhere ({error.strerror})", "mend or remove it"
            )
            return
        if stat.S_ISDIR(mode):
            if (refusal := fit.refusal(path, self._rules)) is not None:
                self._refuse(layer, path, *refusal)
            elif self._rules.of_folder(path) == "link":
                yield self._source(layer, path, "link")
                self._remark(layer, path, end)
            else:
                hint = f'"{path}/" = "link" in {FOLDER}/{RULES} links the folder as a whole'
                self._refuse(layer, path, "it is a link to a folder", hint)
            return
        if not stat.S_ISREG(mode):
            what = _KINDS.get(stat.S_IFMT(mode), "no file")
            self._refuse(layer, path, f"it is a link to {what}", "only files are shared")
            return
        wanted = self._rules.of(path)
        outside = not end.startswith(f"{self._real}/")
        if outside and wanted == "copy":
            hint = f"put the file itself there, or link it: without a rule of {FOLDER}/{RULES} it is linked"
            self._refuse(
                layer, path, f"it is a link out of {FOLDER}/, to {_shown(end)}, and not copied", hint
            )
            return
        yield self._source(layer, path, wanted)
        self._remark(layer, path, end)

    def _remark(self, layer: Layer, path: str, end: str) -> None:
        if not end.startswith(f"{self._real}/"):
            source = f"{FOLDER}/{layer}/{path}"
            self.remarks.append(Refused(source=source, reason=f"leads out of {FOLDER}/, to {_shown(end)}"))

    def _source(self, layer: Layer, path: str, mode: str | None) -> Source:
        return Source(path=path, layer=layer, kind="copy" if mode == "copy" else "link")

    def _refuse(self, layer: Layer, path: str, reason: str, hint: str) -> None:
        source = _shown(f"{FOLDER}/{layer}/{path}".rstrip("/"))
        self.refused.append(Refused(source=source, reason=reason, hint=hint))

    def entered(self, layer: Layer, path: str) -> Iterator[str]:
        """`path` and the folders below it that are gone into, relative to sync/."""
        here = self._at(layer, path)
        if path and not all(map(self._enters, (*parents(path), path))):
            return
        yield f"{layer}/{path}" if path else layer
        try:
            with os.scandir(here) as entries:
                found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return
        for name in found:
            below = f"{path}/{name}" if path else name
            if self._enters(below):
                yield from self.entered(layer, below)


_KINDS = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a pipe",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


def _lstat(path: str) -> os.stat_result | None:
    """None when it is not there. Raises Unavailable when that cannot be known."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _shown(path: str) -> str:
    """For the wire, which takes UTF-8 only."""
    return path.encode("utf-8", "backslashreplace").decode()


def _unreadable(path: str, error: OSError) -> Unavailable:
    return Unavailable(
        f"{_shown(path)} cannot be read: {error.strerror}",
        hint="give yourself the right to read it; until then nothing is changed",
    )
