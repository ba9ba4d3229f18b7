"""`ports`: each worktree its own, unique on the machine, the same as long as it lives."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.hooks.conftest import Site
from zdriver.core.clock import to_datetime
from zdriver.core.config import Ports
from zdriver.core.errors import Unavailable
from zdriver.hooks.leasing import Leases
from zdriver.hooks.model import FILE
from zdriver.storage.port import Transaction
from zdriver.storage.sqlite import SqliteStore
from zdriver.worktrees import rows
from zdriver.worktrees.model import Repo, Worktree

_REPO = Repo(id="r", git_dir="/r/.git", trunk="/r", container="/c")


def worktree(name: str) -> Worktree:
    at = to_datetime(0)
    return Worktree(
        id=f"w-{name}", repo="/r", name=name, type="feat", title=name, branch=name, base="main",
        path=f"/c/{name}", state="ready", created_at=at, used_at=at,
    )  # fmt: skip


def opened(folder: Path, *names: str) -> SqliteStore:
    """A store that knows these worktrees of `_REPO`."""
    store = SqliteStore(folder / "z.db")
    fields = {name: getattr(_REPO, name) for name in _REPO.__struct_fields__}
    store.write(lambda tx: tx.run("worktree.repo_add", **fields, host="h", at=0))

    def unit(tx: Transaction) -> None:
        for name in names:
            rows.insert(tx, worktree(name), _REPO, at=0)

    store.write(unit)
    return store


def leases(store: SqliteStore, first: int, last: int, taken: tuple[int, ...] = ()) -> Leases:
    return Leases(
        store, host="h", ports=Ports(first=first, last=last), is_free=lambda port: port not in taken
    )


def test_each_worktree_has_its_own_and_keeps_it(site: Site) -> None:
    site.tree.commit(FILE, "ports = ['WEB_PORT', 'DB_PORT']")
    found = []
    for name in ("x", "y"):
        added = site.driver.worktrees.add("feat", name, cwd=site.cwd, agent="ada")
        env = site.driver.worktrees.environment(f"feat-{name}", cwd=site.cwd)
        assert added.provided.environment.items() <= env.items()
        found += [int(env["WEB_PORT"]), int(env["DB_PORT"])]
        run = site.driver.hooks.pending(f"feat-{name}", "post-create", cwd=site.cwd)
        assert run is None
    assert len(set(found)) == 4
    assert all(20_000 <= port <= 29_999 for port in found)
    again = site.driver.worktrees.add("feat", "x", cwd=site.cwd, agent="ada")
    assert not again.created
    env = site.driver.worktrees.environment("feat-x", cwd=site.cwd)
    assert [int(env["WEB_PORT"]), int(env["DB_PORT"])] == found[:2]


def test_a_removal_gives_them_back(site: Site) -> None:
    site.tree.commit(FILE, "ports = ['WEB_PORT']")
    site.add("x")
    had = site.driver.worktrees.environment("feat-x", cwd=site.cwd)["WEB_PORT"]
    removed = site.driver.worktrees.remove("feat-x", cwd=site.cwd, agent="ada")
    with socket.create_server(("127.0.0.1", int(had))):  # meanwhile somebody else took it
        back = site.driver.worktrees.recover(removed.id, cwd=site.cwd, agent="ada")
        now = site.driver.worktrees.environment(back.worktree.name, cwd=site.cwd)["WEB_PORT"]
        assert now != had
        site.driver.worktrees.remove("feat-x", cwd=site.cwd, agent="ada")
    site.add("x")
    assert site.driver.worktrees.environment("feat-x", cwd=site.cwd)["WEB_PORT"] == had


def test_a_hook_is_told_the_ports(site: Site) -> None:
    site.tree.commit(FILE, "ports = ['WEB_PORT']\n[hooks]\npost-create = 'echo $WEB_PORT'")
    site.add("x")
    run = site.driver.hooks.pending("feat-x", "post-create", cwd=site.cwd)
    assert run is not None
    env = site.driver.worktrees.environment("feat-x", cwd=site.cwd)
    assert run.environment["WEB_PORT"] == env["WEB_PORT"]


def test_one_that_somebody_listens_on_is_not_given(tmp_path: Path) -> None:
    with opened(tmp_path, "a", "b") as store, socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        real = Leases(store, host="h", ports=Ports(first=taken, last=taken))
        with pytest.raises(Unavailable, match=f"no port from {taken} to {taken} is free for P"):
            real.lease(worktree("a"), _REPO, ("P",))
        assert leases(store, 2000, 2002, (2000, 2002)).lease(worktree("b"), _REPO, ("P",)) == {"P": 2001}


def test_a_range_that_is_used_up_says_so_and_a_freed_port_is_given_again(tmp_path: Path) -> None:
    with opened(tmp_path, "a", "b") as store:
        small = leases(store, 2000, 2001)
        held = small.lease(worktree("a"), _REPO, ("P", "Q"))
        assert set(held.values()) == {2000, 2001}
        with pytest.raises(Unavailable, match=r"widen|is free for P") as full:
            small.lease(worktree("b"), _REPO, ("P",))
        assert "ports.first" in full.value.hint
        assert small.free("w-a") == 2
        assert small.lease(worktree("b"), _REPO, ("P",))["P"] in (2000, 2001)


def test_a_removed_worktree_gets_none_and_gives_back_what_it_had(tmp_path: Path) -> None:
    with opened(tmp_path, "a", "b") as store:
        small = leases(store, 2000, 2000)
        small.lease(worktree("a"), _REPO, ("P",))
        store.write(lambda tx: tx.run("worktree.gone", id="w-a", at=1))
        assert small.lease(worktree("b"), _REPO, ("P",)) == {"P": 2000}
        with pytest.raises(Unavailable):
            leases(store, 2001, 2001).lease(worktree("a"), _REPO, ("P",))


def test_many_at_once_never_share_one(tmp_path: Path) -> None:
    """Each looks at the same range, which has just enough, and begins at the same port."""
    names = [f"w{n}" for n in range(24)]
    with opened(tmp_path, *names) as store:
        together = threading.Barrier(len(names))

        def lease(name: str) -> dict[str, int]:
            together.wait()
            return leases(store, 3000, 3047).lease(worktree(name), _REPO, ("P", "Q"))

        with ThreadPoolExecutor(len(names)) as pool:
            found = list(pool.map(lease, names))
    ports = [port for each in found for port in each.values()]
    assert sorted(ports) == list(range(3000, 3048))


def test_the_same_worktree_leasing_twice_at_once_has_one(tmp_path: Path) -> None:
    with opened(tmp_path, "a") as store:
        together = threading.Barrier(8)

        def lease(_n: int) -> dict[str, int]:
            together.wait()
            return leases(store, 3000, 3999).lease(worktree("a"), _REPO, ("P",))

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lease, range(8)))
        assert len({each["P"] for each in found}) == 1
        assert len(store.read(lambda tx: tx.all("port.taken", host="h"))) == 1
