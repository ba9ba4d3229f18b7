"""What happens under sync/, from inotify: which folders are watched, and which paths an event is about."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from zdriver.core import inotify
from zdriver.core.errors import ZdriverError
from zdriver.sync import rules as fit
from zdriver.sync import sources
from zdriver.sync.model import FOLDER, LAYERS, RULES
from zdriver.sync.patterns import Rules

_MASK = (
    inotify.CREATE
    | inotify.CLOSE_WRITE
    | inotify.MOVED_FROM
    | inotify.MOVED_TO
    | inotify.DELETE
    | inotify.DELETE_SELF
    | inotify.MOVE_SELF
    | inotify.ONLY_FOLDERS
    | inotify.UNLINKED_TOO
    | inotify.MASK_ADD
)
_CAME = inotify.CREATE | inotify.MOVED_TO
_WENT = inotify.DELETE | inotify.MOVED_FROM
_SELF = inotify.DELETE_SELF | inotify.MOVE_SELF

#: Container → paths to bring up to date; None: all of it, unless sync/ is not there to be read.
Changes = dict[str, set[str] | None]
#: As a path: all of it, and what is gone was seen to go.
EVERYTHING = ""


class _Spot(msgspec.Struct, frozen=True):
    """A watched folder."""

    container: str
    path: str | None  #: relative to sync/: "repo/config"; "" is sync/ itself, None the container


class Watching:
    """Not thread-safe. Raises OSError where the system has no inotify."""

    def __init__(self) -> None:
        self._notify = inotify.Inotify()
        self._spots: dict[int, set[_Spot]] = {}
        self._watches: dict[_Spot, int] = {}
        self._rules: dict[str, Rules] = {}
        #: container → why it is not followed
        self.troubles: dict[str, str] = {}

    def fileno(self) -> int:
        return self._notify.fileno()

    def close(self) -> None:
        self._notify.close()

    def has(self, container: str) -> bool:
        """Whether it is followed; not where it was not there yet, or was deleted, when that was tried."""
        return _Spot(container, None) in self._watches or container in self.troubles

    def following(self) -> int:
        """Containers whose sync/ is watched."""
        return len({spot.container for spot in self._watches if spot.path})

    def follow(self, container: str) -> None:
        """Watch the container, and what it has of sync/; again: as it is now."""
        self._drop(container, None)
        self.troubles.pop(container, None)
        try:
            self._rules[container] = sources.load_rules(container)
        except ZdriverError:  # told when it is applied; until then every folder counts
            self._rules[container] = Rules()
        try:
            # First the watch, then the look: what comes in between is seen twice, not never.
            self._watch(_Spot(container, None))
            self._watch(_Spot(container, ""))
            for folder in sources.folders(container, self._rules[container]):
                self._watch(_Spot(container, folder))
        except OSError as error:
            self.troubles[container] = _why(error)

    def changes(self) -> Changes:
        """What came since the last call."""
        found: Changes = {}
        # All of them first: what comes while a folder is looked at anew belongs to the next round.
        for event in list(self._notify.read()):
            if event.mask & inotify.OVERFLOW:
                for container in list(self._rules):
                    self._again(container, found)
                continue
            spots = self._spots.get(event.watch, set())
            if event.mask & inotify.IGNORED:
                for spot in self._spots.pop(event.watch, set()):
                    if self._watches.get(spot) == event.watch:  # not of the folder that took its place
                        del self._watches[spot]
                continue
            for spot in list(spots):
                self._one(spot, event, found)
        return found

    # ---- inside -------------------------------------------------------------------------

    def _one(self, spot: _Spot, event: inotify.Event, found: Changes) -> None:
        container, path = spot.container, spot.path
        if path is None:
            if event.name == FOLDER:
                self._again(container, found)
        elif event.mask & inotify.UNMOUNT:
            self._unmounted(container, path, found)
        elif event.mask & _SELF:
            # Deeper down the folder above tells of it; these may be links to elsewhere.
            if "/" not in path:
                self._again(container, found, went=bool(event.mask & inotify.DELETE_SELF))
        elif path == "":
            if event.name in LAYERS or event.name == RULES:
                self._again(container, found, went=bool(event.mask & inotify.DELETE))
        elif event.name:
            self._below(container, f"{path}/{event.name}", event.mask, found)

    def _below(self, container: str, path: str, mask: int, found: Changes) -> None:
        """`path` is relative to sync/."""
        shared = path.partition("/")[2]
        if not fit.is_text(shared) or fit.is_hidden(shared, self._rules[container]):
            return
        if mask & inotify.OF_FOLDER:
            if mask & _WENT:
                self._drop(container, path)
            if mask & _CAME:
                try:
                    for folder in sources.folders(container, self._rules[container], path):
                        self._watch(_Spot(container, folder))
                except OSError as error:
                    self.troubles[container] = _why(error)
        paths = found.setdefault(container, set())
        if paths is not None:
            paths.add(shared)

    def _again(self, container: str, found: Changes, *, went: bool = False) -> None:
        """`went`: it was seen to be deleted, so that an empty sync/ is meant."""
        known = found.get(container, set())
        if known is not None and EVERYTHING not in known:  # once a round will do
            self.follow(container)
        if went or (known and EVERYTHING in known):
            found[container] = {EVERYTHING}
        else:
            found[container] = None

    def _unmounted(self, container: str, path: str, found: Changes) -> None:
        """What was there is not deleted: nothing is taken out for it."""
        mounted = Path(container, FOLDER, path)
        if path == "" or (
            path in LAYERS and not mounted.is_dir()
        ):  # sync/ itself: applying says what is wrong
            self._again(container, found)
        elif path in LAYERS:
            self.follow(container)
            self.troubles[container] = f"{FOLDER}/{path} was unmounted; what it had stays linked"

    def _watch(self, spot: _Spot) -> None:
        where = Path(spot.container)
        if spot.path is not None:
            where = where / FOLDER / spot.path
        try:
            watch = self._notify.add(str(where), _MASK)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return  # it went meanwhile, or is not there yet
            raise
        self._watches[spot] = watch
        self._spots.setdefault(watch, set()).add(spot)

    def _drop(self, container: str, path: str | None) -> None:
        """The watches of a folder and of all below it; None: of the whole container."""
        for spot in [each for each in self._watches if each.container == container]:
            if path is not None and spot.path != path and not (spot.path or "").startswith(f"{path}/"):
                continue
            watch = self._watches.pop(spot)
            others = self._spots.get(watch, set())
            others.discard(spot)
            if not others:
                self._spots.pop(watch, None)
                with suppress(OSError):
                    self._notify.remove(watch)


def _why(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the limit of watched folders is reached; raise it: sysctl fs.inotify.max_user_watches=524288"
    return f"{os.fspath(error.filename or 'a folder')} cannot be watched: {error.strerror}"
