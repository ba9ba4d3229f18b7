"""Zellij's file of granted permissions, put back where a Zellij that was killed left it empty.

Zellij 0.45 empties the file and writes it anew for each plugin instance that is granted
something (zellij-utils, `input/permission.rs`): also when that instance is zdriver's banner
after a restore. Killed in that moment, it leaves nothing of what any plugin was granted, and
the next Zellij asks in the middle of its restore.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from zdriver.core.errors import Conflict, InvalidInput, ZdriverError
from zdriver.zellij import dirs, files, permissions

log = logging.getLogger(__name__)

#: Seconds that a living Zellij gets for writing what it has emptied: some thousand times what it takes.
WRITTEN = 0.1


class Grants:
    """What was granted when a Zellij session was last seen alive, per file. Kept in memory only:
    a daemon learns it from each plugin that connects.

    It acts on an empty or unreadable file only. One in which a plugin is no longer named may
    have been edited by its user, who has the last word.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[Path, bytes] = {}

    def note(self, env: Mapping[str, str]) -> None:
        """A plugin of the Zellij with this environment has connected: it was granted what it needs."""
        self._lost(dirs.permissions_file(env))

    def mend(self, env: Mapping[str, str]) -> None:
        """A Zellij with this environment may have ended at any point of its writing."""
        file = dirs.permissions_file(env)
        if self._lost(file) is None:
            return
        time.sleep(WRITTEN)  # another one that lives may be the one that writes
        if (lost := self._lost(file)) is None:
            return
        before, now = lost
        try:
            files.replace(file, before, expected=now)
        except Conflict:
            return  # it is being written after all
        except ZdriverError as error:
            log.warning("Zellij was killed while it wrote %s, and that cannot be mended: %s", file, error)
        else:
            log.info("Zellij was killed while it wrote %s: what was granted is put back", file)

    def _lost(self, file: Path) -> tuple[bytes, bytes] | None:
        """What was granted before, and what the file holds now; None when that is whole."""
        try:
            now = files.read_bytes(file)
        except InvalidInput as error:
            log.debug("%s", error)
            return None
        if now is None:  # Zellij never removes it: a person did
            return None
        with self._lock:
            if permissions.whole(now.decode(errors="replace")):
                self._seen[file] = now
                return None
            before = self._seen.get(file)
        return None if before is None else (before, now)
