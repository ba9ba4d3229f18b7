"""What a status line shows of a worktree: its name, and who holds it now."""

from __future__ import annotations

from tests.contract.claiming import Here
from tests.contract.conftest import Ticking
from zdriver.storage.port import Store
from zdriver.worktrees.registry import Registry
from zdriver.worktrees.standing import standing


def test_name_and_holder_while_the_claim_lives(store: Store, clock: Ticking) -> None:
    here = Here(store, clock)
    registry = Registry(store, host="h")
    free = standing(registry, "/w/feat-a")
    assert free is not None
    assert (free.name, free.type, free.holder, free.until) == ("feat-a", "feat", "", None)
    claim = here.service.claim("feat-a", agent="claude-1", cwd="/w")
    held = standing(registry, "/w/feat-a")
    assert held is not None
    assert (held.holder, held.until) == ("claude-1", claim.expires_at)
    other = standing(registry, "/w/feat-b")
    assert other is not None
    assert other.holder == ""
    here.service.release("feat-a", agent="claude-1", cwd="/w")
    assert standing(registry, "/w/feat-a") == free


def test_only_registered_worktrees_of_this_machine(store: Store, clock: Ticking) -> None:
    Here(store, clock)
    assert standing(Registry(store, host="h"), "/w") is None
    assert standing(Registry(store, host="h"), "/w/feat-a/sub") is None
    assert standing(Registry(store, host="another"), "/w/feat-a") is None
