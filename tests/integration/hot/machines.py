"""Machines of one user in one process: each has its own id, store, checkout and connection to Redis."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import redis

from zdriver.context.elsewhere import NOWHERE
from zdriver.context.layout import Layout, Pane, Tab
from zdriver.context.model import Intent, Milestone, Place
from zdriver.context.service import ContextService
from zdriver.context.snapshots import SnapshotService
from zdriver.core.clock import now_us
from zdriver.core.engines import Address
from zdriver.hot.following import Following
from zdriver.hot.reading import Views
from zdriver.hot.redis import RedisHot
from zdriver.hot.sites import Sites
from zdriver.hot.taking import Taking
from zdriver.storage.port import Store
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing import until


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def remote(folder: Path) -> Path:
    """A bare repository with one commit on `main`."""
    first, bare = folder / "first", folder / "app.git"
    first.mkdir()
    git(first, "init", "-q", "-b", "main")
    git(first, "commit", "-q", "--allow-empty", "-m", "first")
    git(folder, "clone", "-q", "--bare", str(first), str(bare))
    return bare


#: What Redis gets for an answer: as much as a busy machine may need. One that is late counts as slow, and a
#: slow one is not asked by who may not wait.
TIMEOUT_MS = 10_000


class Machine:
    """Its folder is its user's home; `root` the checkout."""

    def __init__(
        self,
        name: str,
        folder: Path,
        url: str,
        *,
        store: Store | None = None,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        self.name, self.folder = name, folder
        self.root = str(folder / "app" if name == "laptop" else folder / "code" / "app")
        address = Address(setting="context.url", scheme="redis", url=url)
        self.hot = RedisHot(address, host=name, timeout_ms=timeout_ms)
        self.store: Store = store or SqliteStore(folder / "data" / "zdriver.db")
        self.sites = Sites(user="ada", host=name)
        self.contexts = ContextService(self.store, host=name)
        self.snapshots = SnapshotService(self.store, host=name)
        self.taking = Taking(
            self.store,
            self.hot,
            self.snapshots,
            host=name,
            site_of=self.sites.of,
            caught_up=lambda: self.following.caught_up(),
            home=str(folder),
        )
        self.views = Views(self.store, host=name, site_of=self.sites.of, host_name=name, home=str(folder))
        self.following = Following(
            self.store, self.hot, self.views, host=name, recover=self.taking.recover, clock=now_us
        )
        self.contexts.elsewhere = self.taking

    @contextmanager
    def on_its_own(self) -> Iterator[None]:
        """Without a look at what was left elsewhere."""
        self.contexts.elsewhere = NOWHERE
        yield
        self.contexts.elsewhere = self.taking

    def place(self, zellij_session: str = "") -> Place:
        return Place(cwd=self.root, zellij_session=zellij_session)

    def intent(self, zellij_session: str = "") -> str:
        found = self.contexts.intent(place=self.place(zellij_session))
        return found.text if found else ""

    def set_intent(self, text: str, zellij_session: str = "") -> Intent:
        return self.contexts.set_intent(text, place=self.place(zellij_session))

    def milestone(self, text: str, zellij_session: str = "", **more: Any) -> Milestone:
        return self.contexts.record_milestone(text, place=self.place(zellij_session), **more)

    def milestones(self, zellij_session: str = "") -> list[str]:
        return [each.text for each in self.contexts.milestones(place=self.place(zellij_session))]

    def history(self) -> list[str]:
        return sorted(each.text for each in self.contexts.history(limit=1000))

    def panes(self, zellij_session: str, *commands: tuple[str, ...]) -> None:
        tiled = tuple(Pane(cwd=self.root, command=command) for command in commands)
        layout = Layout(tabs=(Tab(name="code", tiled=tiled),))
        self.snapshots.record(zellij_session, self.root, layout, "change")

    def caught_up(self) -> None:
        until(self.following.caught_up, what=f"{self.name}: all is in Redis", every=0.01)


@contextmanager
def machine(name: str, folder: Path, url: str, bare: Path | None = None, **more: Any) -> Iterator[Machine]:
    """With a checkout of `bare`, and following."""
    folder.mkdir(exist_ok=True)
    made = Machine(name, folder, url, **more)
    if bare is not None and not Path(made.root).exists():
        git(folder, "clone", "-q", str(bare), made.root)
    made.following.start()
    try:
        yield made
    finally:
        made.following.stop()
        made.hot.close()
        made.store.close()


def fields(client: redis.Redis, id_: str) -> dict[str, Any]:
    """What redis-cli would show of a context, its lists decoded."""
    found: dict[str, Any] = dict(client.hgetall(f"session:{id_}"))  # type: ignore[arg-type]  # not asynchronous
    for name in ("milestones", "panes"):
        if name in found:
            found[name] = msgspec.json.decode(found[name])
    return found


def soon(ask: Callable[[], object], what: str) -> None:
    until(ask, what=what, every=0.01)
