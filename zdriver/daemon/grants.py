"""Zellij's file of granted permissions, put back where a Zellij that was killed left it empty.

Zellij 0.45 empties the file and writes it anew for each plugin instance that is granted
something (zellij-utils, `input/permission.rs`): also when that instance is zdriver's banner
after a restore. Killed in that moment, it leaves nothing of what any plugin was granted, and
the next Zellij asks in the middle of its restore.
"""

from __future__ import annotations

import logging
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
    a daemon learns it from each plugin that connects. Thread-safe.

    It acts on an empty or unreadable file only. One in which a plugin is no longer named may
    have been edited by its user, who has the last word; one that is not there was removed by a
    person, as Zellij never does.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, bytes] = {}

    def note(self, env: Mapping[str, str]) -> None:
        """A plugin of the Zellij with this environment has connected: it was granted what it needs."""
        self._broken(dirs.permissions_file(env))

    def mend(self, env: Mapping[str, str]) -> None:
        """A Zellij with this environment may have ended at any point of its writing."""
        file = dirs.permissions_file(env)
        if self._broken(file) is None:
            return
        # Another Zellij may live and be the one that has just emptied it: it takes no lock, and what it
        # writes into a file that was replaced meanwhile would be lost. So it gets the time to finish.
        time.sleep(WRITTEN)
        now, before = self._broken(file), self._seen.get(file)
        if now is None or before is None:
            return
        try:
            files.replace(file, before, expected=now)
        except Conflict:
            return  # it is being written after all
        except ZdriverError as error:
            log.warning("Zellij was killed while it wrote %s, and that cannot be mended: %s", file, error)
        else:
            log.info("Zellij was killed while it wrote %s: what was granted is put back", file)

    def _broken(self, file: Path) -> bytes | None:
        """What it holds, where that is nothing or a part; None otherwise. What is whole is remembered."""
        try:
            now = files.read_bytes(file)
        except InvalidInput as error:
            log.debug("%s", error)
            return None
        if now is None:
            return None
        if not permissions.whole(now.decode(errors="replace")):
            return now
        self._seen[file] = now
        return None
