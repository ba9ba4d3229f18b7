"""A token that is not the holder's any more opens nothing, wherever one is taken."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

import zdriver
from zdriver.core.errors import Conflict
from zdriver.library import Driver
from zdriver.testing import Home

Write = Callable[["Place", str, int], object]


class Place(msgspec.Struct):
    driver: Driver
    project: Path

    @property
    def cwd(self) -> str:
        return str(self.project)


def release(place: Place, agent: str, token: int) -> object:
    return place.driver.claims.release("feat-a", agent=agent, token=token, cwd=place.cwd)


def renew(place: Place, agent: str, token: int) -> object:
    return place.driver.claims.renew("feat-a", agent=agent, token=token, cwd=place.cwd)


def check(place: Place, agent: str, token: int) -> object:
    return place.driver.claims.check("feat-a", agent=agent, token=token, cwd=place.cwd)


def repair(place: Place, agent: str, token: int) -> object:
    return place.driver.sync.repair("feat-a", force=True, agent=agent, token=token, cwd=place.cwd)


def remove(place: Place, agent: str, token: int) -> object:
    return place.driver.worktrees.remove("feat-a", agent=agent, token=token, cwd=place.cwd)


def force(place: Place, agent: str, token: int) -> object:
    return place.driver.worktrees.remove("feat-a", force=True, agent=agent, token=token, cwd=place.cwd)


def merge(place: Place, agent: str, token: int) -> object:
    return place.driver.worktrees.merge("feat-a", agent=agent, token=token, cwd=place.cwd)


def review(place: Place, agent: str, token: int) -> object:
    return place.driver.reviews.review(7, agent=agent, token=token, cwd=place.cwd)


#: The name of the worktree that it writes to.
WRITES: dict[Write, str] = {
    release: "feat-a",
    renew: "feat-a",
    check: "feat-a",
    repair: "feat-a",
    remove: "feat-a",
    force: "feat-a",
    merge: "feat-a",
    review: "review-7",
}


def git(*words: str, cwd: Path) -> str:
    done = subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def place(home: Home, project: Path) -> Iterator[Place]:
    """`feat-a` is ahead of main and has a file in the way of sync/; `review-7` is behind its pull request."""
    feature = home.path / "feat-a"
    git("commit", "-q", "--allow-empty", "-m", "work", cwd=feature)
    git("clone", "-q", "--bare", str(project), str(home.path / "hub.git"), cwd=home.path)
    hub = home.path / "hub.git"
    git("update-ref", "refs/pull/7/head", "main", cwd=hub)
    git("remote", "add", "origin", str(hub), cwd=project)
    git("fetch", "-q", "origin", cwd=project)
    with zdriver.open() as driver:
        made = Place(driver, project)
        driver.worktrees.adopt(str(feature), cwd=made.cwd)
        review(made, "one", 0)
        git("update-ref", "refs/pull/7/head", "feat-a", cwd=hub)
        container = Path(driver.sync.status(cwd=made.cwd).container)
        (container / "sync/repo").mkdir(parents=True)
        (container / "sync/repo/.env").write_text("shared")
        (feature / ".env").write_text("mine")
        yield made


def standing(place: Place, name: str) -> tuple[object, ...]:
    """What a write would change."""
    listed = git("worktree", "list", cwd=place.project)
    path = next(
        (Path(line.split()[0]) for line in listed.splitlines() if line.split()[0].endswith(f"/{name}")), None
    )
    env = (path or place.project) / ".env"
    live = [
        (claim.worktree, claim.agent, claim.token, claim.expires_at) for claim in place.driver.claims.list()
    ]
    return (
        listed,
        git("for-each-ref", cwd=place.project),
        env.is_symlink(),
        env.read_text() if env.exists() else "",
        live,
    )


def goes_through(place: Place, write: Write, agent: str, token: int) -> None:
    name = WRITES[write]
    before = standing(place, name)
    if write in (remove, merge):  # what stands against it besides
        (place.project.parent / name / ".env").unlink()
    if write is remove:
        git("push", "-q", "origin", "feat-a", cwd=place.project)
    write(place, agent, token)
    assert write is check or standing(place, name) != before


def lose(place: Place, name: str, how: str) -> int:
    """The token of a claim of `one` that was lost; two has it, or nobody."""
    claims = place.driver.claims
    lease = 1 if how == "expired" else 600
    stale = claims.claim(name, agent="one", lease=lease, cwd=place.cwd).token
    if how == "taken":
        claims.take(name, agent="two", reason="it hangs", cwd=place.cwd)
    elif how == "expired":
        claims.claim(name, agent="two", wait=30, cwd=place.cwd)
    else:
        claims.release(name, agent="one", cwd=place.cwd)
    return stale


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_a_stale_token_changes_nothing(place: Place, write: Write) -> None:
    name, claims = WRITES[write], place.driver.claims
    stale = []
    for how in ("released", "taken", "expired"):
        stale.append(lose(place, name, how))
        before = standing(place, name)
        for token in stale:
            with pytest.raises(Conflict) as refused:
                write(place, "one", token)
            said = refused.value.message
            assert f"token {token}" in said or "held by two" in said
        assert standing(place, name) == before
        if how != "released":
            claims.release(name, agent="two", cwd=place.cwd)
    again = claims.claim(name, agent="one", cwd=place.cwd).token  # the same agent's, and as stale as before
    before = standing(place, name)
    for token in stale:
        with pytest.raises(Conflict, match=f"token {token}"):
            write(place, "one", token)
    assert standing(place, name) == before
    goes_through(place, write, "one", again)
