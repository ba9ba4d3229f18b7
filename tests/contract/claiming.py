"""A service of claims on a store, and worktrees to claim: for tests."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.units import whole_log
from zdriver.claims.service import ClaimsService
from zdriver.core.clock import Clock, to_datetime
from zdriver.core.errors import NotFound
from zdriver.core.ids import new_id
from zdriver.storage.port import Store, Transaction
from zdriver.worktrees.model import Repo, Worktree

MINUTE = 60_000_000  #: µs


def make_worktrees(store: Store, *names: str) -> dict[str, tuple[Repo, Worktree]]:
    """A repository with these worktrees, as the registry has them."""
    made: dict[str, tuple[Repo, Worktree]] = {}
    repo = Repo(id=new_id(), git_dir="/w/r/.git", trunk="/w/r", container="/w")

    def unit(tx: Transaction) -> None:
        tx.run(
            "worktree.repo_add", id=repo.id, host="h", git_dir=repo.git_dir, trunk=repo.trunk,
            container=repo.container, remote="", default_branch="main", at=tx.now(),
        )  # fmt: skip
        for name in names:
            id_ = new_id()
            tx.run(
                "worktree.add", id=id_, repo_id=repo.id, name=name, type="feat", title=name, branch=name,
                base="main", path=f"/w/{name}", state="ready", step="", made_branch=1, head="", owner="",
                pr_number=None, pr_title="", pr_url="", agent="", at=tx.now(),
            )  # fmt: skip
            made[name] = (
                repo,
                Worktree(
                    id=id_, repo=repo.trunk, name=name, type="feat", title=name, branch=name, base="main",
                    path=f"/w/{name}", state="ready", created_at=to_datetime(0), used_at=to_datetime(0),
                ),
            )  # fmt: skip

    store.write(unit)
    return made


class Here:
    """A service and what it stands on."""

    def __init__(self, store: Store, clock: Clock, *, steady: Callable[[], int] | None = None) -> None:
        self.store = store
        self.worktrees = make_worktrees(store, "feat-a", "feat-b")
        self.service = ClaimsService(store, self.find, host="h", steady=steady or clock)

    def find(self, name: str = "", cwd: str = "") -> tuple[Repo, Worktree]:
        if name not in self.worktrees:
            raise NotFound(f"no worktree {name}")
        return self.worktrees[name]

    def id(self, name: str) -> str:
        return self.worktrees[name][1].id

    def events(self) -> list[str]:
        return [row["type"] for row in whole_log(self.store)]
