"""The hot copy as files: one JSON document for each context."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from zdriver import Unavailable
from zdriver.core.engines import Address, EngineHealth
from zdriver.hot.model import HotView
from zdriver.hot.port import CONTEXT_SECONDS


class Shelf:
    """`zdriver.hot.port.Hot`"""

    def __init__(self, address: Address, folder: Path) -> None:
        self._address = address
        self._folder = folder / "contexts"
        self._failure = ""
        self._since = datetime.now(UTC)

    def connect(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failed(error) from error
        self._failure = ""

    def save(self, views: Sequence[HotView], live: frozenset[str] = frozenset()) -> Sequence[str]:
        refused = []
        for view in views:
            there = self.load(view.id)
            if there is not None and there.version > view.version:
                refused.append(view.id)
                continue
            self._write(f"{view.id}.json", msgspec.json.encode(view))
        return refused

    def drop(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            (self._folder / f"{id_}.json").unlink(missing_ok=True)

    def load(self, id_: str) -> HotView | None:
        try:
            return msgspec.json.decode((self._folder / f"{id_}.json").read_bytes(), type=HotView)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.ValidationError) as error:
            raise self._failed(error) from error

    def intact(self) -> bool:
        return (self._folder / "mark").exists()

    def mark(self) -> None:
        self._write("mark", b"")

    def find(self, key: str) -> Sequence[HotView]:
        try:
            views = [self.load(file.stem) for file in self._folder.glob("*.json")]
        except Unavailable:
            return ()
        oldest = time.time() - CONTEXT_SECONDS
        found = [view for view in views if view and view.updated_at.timestamp() > oldest]
        return sorted(
            (view for view in found if view.site.key == key), key=lambda view: view.updated_at, reverse=True
        )

    def health(self) -> EngineHealth:
        return EngineHealth(
            engine="shelf",
            role="context",
            setting=self._address.setting,
            address=self._address.shown,
            state="down" if self._failure else "ok",
            message=self._failure,
            since=self._since,
        )

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _write(self, name: str, data: bytes) -> None:
        draft = self._folder / f".{name}"
        try:
            draft.write_bytes(data)
            draft.replace(self._folder / name)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> Unavailable:
        self._failure = f"{self._address.setting}: {self._folder}: {error}"
        self._since = datetime.now(UTC)
        return Unavailable(self._failure, hint="look into that folder")
