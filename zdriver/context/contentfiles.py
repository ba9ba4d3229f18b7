"""The files from which Zellij fills restored panes with what they showed."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from zdriver.context.layout import Layout, terminals
from zdriver.context.scrollback import shown_again
from zdriver.core import paths
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.core.ids import new_id

log = logging.getLogger(__name__)

#: The key of a stored text → the text. Raises NotFound, StoreDamaged.
Read = Callable[[str], str]


def _parent() -> Path:
    return paths.runtime_dir() / "contents"


@contextlib.contextmanager
def content_files(layout: Layout, read: Read) -> Iterator[ContentFiles]:
    """A private folder with one file for each text that the layout's panes name; gone afterwards.

    A text that cannot be had is left out: its pane comes back without.
    """
    keys = sorted({pane.contents for tab in layout.tabs for pane in terminals(tab) if pane.contents})
    if not keys:
        yield ContentFiles(None, {})
        return
    folder = _new_folder()
    try:
        written = [key for key in keys if folder is not None and _write(folder / key, key, read)]
        yield ContentFiles(folder, {key: f"{folder}/{key}" for key in written})
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> Path | None:
    try:
        return paths.private_dir(paths.private_dir(_parent()) / new_id())
    except (Unavailable, OSError) as error:
        log.warning("panes come back without what they showed: %s", error)
        return None


class ContentFiles:
    def __init__(self, folder: Path | None, by_key: Mapping[str, str]) -> None:
        self._folder = folder
        self.by_key = by_key  #: `Pane.contents` → path

    def write_layout(self, kdl: str) -> str | None:
        """Put the layout beside them; its path without `.kdl`. None: there is nothing to fill in."""
        if self._folder is None or not self.by_key:
            return None
        file = self._folder / "layout.kdl"
        try:
            file.write_text(kdl)
        except OSError as error:
            log.warning("panes come back without what they showed: %s", error)
            return None
        return str(file.with_suffix(""))


def _write(file: Path, key: str, read: Read) -> bool:
    try:
        file.write_text(shown_again(read(key)), "utf-8", "replace")
    except (ZdriverError, OSError) as error:
        log.warning("a pane comes back without what it showed: %s", error)
        return False
    return True


def clear() -> None:
    """Remove what a daemon that was killed has left."""
    shutil.rmtree(_parent(), ignore_errors=True)
