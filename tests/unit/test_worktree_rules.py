"""Where worktrees go, which one is meant, and what was done behind the registry's back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from zdriver.core.errors import Ambiguous, InvalidInput, NotFound
from zdriver.worktrees import rules, steps
from zdriver.worktrees.model import Worktree
from zdriver.worktrees.reconciling import Seen, compare

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def made(name: str, type: str = "feat", **given: object) -> Worktree:
    base = Worktree(
        id=f"id-{name}",
        repo="/x/app",
        name=name,
        type=type,
        title=name,
        branch=name,
        base="main",
        path=f"/x/app.worktrees/{name}",
        state="ready",
        created_at=THEN,
        used_at=THEN,
        trunk=type == "trunk",
    )
    return msgspec.structs.replace(base, **given)


TRUNK = made("trunk", "trunk", branch="main", path="/x/app")


# ---- places -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trunk", "git_dir", "container"),
    [
        ("/x/app", "/x/app/.git", "/x/app.worktrees"),
        ("/x/app/trunk-main", "/x/app/trunk-main/.git", "/x/app"),
        ("", "/x/app.git", "/x/app.worktrees"),
        ("", "/x/app/.bare", "/x/app"),
        ("", "/x/app/.git", "/x/app"),
        ("/app", "/app/.git", "/app.worktrees"),
    ],
)
def test_the_container(trunk: str, git_dir: str, container: str) -> None:
    assert rules.container("", trunk=trunk, git_dir=git_dir) == container


@pytest.mark.parametrize(
    ("template", "container"),
    [
        ("{parent}/{repo}-trees", "/x/app-trees"),
        ("trees/{repo}", "/x/trees/app"),
        ("../trees", "/trees"),
        ("~/trees/{repo}", "/home/me/trees/app"),
        ("/srv/{repo}", "/srv/app"),
    ],
)
def test_a_template_for_the_container(template: str, container: str) -> None:
    assert rules.container(template, trunk="/x/app", git_dir="/x/app/.git", home="/home/me") == container


def test_a_template_that_asks_for_what_is_not() -> None:
    with pytest.raises(InvalidInput, match="branch"):
        rules.container("{branch}", trunk="/x/app", git_dir="/x/app/.git")


def test_a_submodules_worktrees_do_not_lie_in_its_superproject() -> None:
    place = rules.container("", trunk="/x/app/lib/sub", git_dir="/x/app/.git/modules/lib/sub")
    assert place == "/x/sub.worktrees"


# ---- which one is meant ---------------------------------------------------------------------


def test_a_name_from_exact_to_loose() -> None:
    auth, other, fix = made("feat-user-auth"), made("feat-user"), made("fix-login", "fix", title="The Login")
    known = (TRUNK, auth, other, fix)
    for given, meant in [
        ("feat-user-auth", auth),
        ("feat-user", other),
        ("user", other),
        ("user-a", auth),
        ("USER-AUTH", auth),
        ("The Login", fix),
        ("fix", fix),
        ("login", fix),
        ("ogi", fix),
        ("trunk", TRUNK),
        ("main", TRUNK),
    ]:
        assert rules.named(given, known) == meant, given
    assert rules.named("nothing", known) is None
    assert rules.named("", known) is None
    with pytest.raises(Ambiguous, match="feat-user, feat-user-auth") as refused:
        rules.named("feat", known)
    assert refused.value.exit_code == 2


def test_an_unknown_name_is_told_what_is_near() -> None:
    error = rules.unknown("user-auht", (made("feat-user-auth"),))
    assert isinstance(error, NotFound)
    assert "feat-user-auth" in error.hint
    assert "worktree list" in rules.unknown("x", ()).hint


def test_go_ranks_what_comes_close() -> None:
    names = ["feat-user-auth", "feat-audit-user", "fix-auth", "exp-unrelated"]
    known = [TRUNK, *(made(name, name.split("-")[0]) for name in names)]
    assert [each.name for each in rules.ranked("auth", known)] == ["fix-auth", "feat-user-auth"]
    assert rules.ranked("ua", known)[0].name == "feat-user-auth"
    assert rules.ranked("qqq", known) == ()
    newer = msgspec.structs.replace(known[4], used_at=THEN + timedelta(days=1))
    assert [each.name for each in rules.ranked("", [*known[:4], newer])][:2] == ["trunk", "exp-unrelated"]


# ---- types ----------------------------------------------------------------------------------


def test_types() -> None:
    assert {each.name for each in rules.BUILTIN} >= {"feat", "fix", "aiops", "devops", "exp", "review"}
    assert rules.known_type("fix", rules.BUILTIN).name == "fix"
    with pytest.raises(NotFound, match="feet") as refused:
        rules.known_type("feet", rules.BUILTIN)
    assert "feat" in refused.value.hint
    for wrong in ("", "Feat", "a-b", "trunk", "other", "1x", "x" * 25, "ф"):
        with pytest.raises(InvalidInput):
            rules.type_name(wrong)


@pytest.mark.parametrize(
    ("name", "branch", "type"),
    [
        ("feat-x", "anything", "feat"),
        ("x", "fix/y", "fix"),
        ("x", "fix-y", "fix"),
        ("featx", "main", "other"),
        ("feat", "feat", "other"),
    ],
)
def test_the_type_of_one_made_by_other_means(name: str, branch: str, type: str) -> None:
    assert rules.guess_type(name, branch, rules.BUILTIN) == type


def test_steps_have_names() -> None:
    assert steps.point("linked") == "worktrees.add:linked"
    with pytest.raises(ValueError, match="tuple"):
        steps.point("nonsense")


# ---- behind its back ------------------------------------------------------------------------


def seen(of: Worktree, **given: object) -> Seen:
    base = Seen(path=of.path, branch=of.branch, head="c", there=True)
    return msgspec.structs.replace(base, **given)


def test_nothing_happened() -> None:
    one = made("feat-x")
    found = compare([TRUNK, one], [seen(TRUNK), seen(one)], [TRUNK.path, one.path])
    assert not found.to_write()
    assert (found.foreign, found.troubles) == ((), {})


def test_removed_moved_switched_and_made_by_other_means() -> None:
    gone, moved, switched = made("feat-gone"), made("feat-moved"), made("feat-switched")
    new = Seen(path="/x/else", branch="else", head="c", there=True)
    found = compare(
        [TRUNK, gone, moved, switched],
        [seen(TRUNK), seen(moved, path="/y/new"), seen(switched, branch="main2"), new],
        [TRUNK.path, switched.path],
    )
    assert found.gone == (gone,)
    assert found.moved == {moved.id: "/y/new"}
    assert found.switched == {switched.id: "main2"}
    assert found.foreign == (new,)


def test_a_folder_that_is_gone_and_one_that_git_forgot() -> None:
    missing, forgotten = made("feat-missing"), made("feat-forgotten")
    found = compare([missing, forgotten], [seen(missing, there=False)], [forgotten.path])
    assert not found.to_write()
    assert "prune" in found.troubles[missing.id]
    assert "repair" in found.troubles[forgotten.id]


def test_what_is_being_made_or_removed_is_left_alone() -> None:
    for state in ("creating", "removing"):
        one = made("feat-x", state=state)
        found = compare([one], [], [])
        assert not found.to_write()
        assert "repair" in found.troubles[one.id]


def test_a_worktree_in_the_place_of_a_removed_one() -> None:
    """Removed by hand, and another branch checked out at the same path: it is that one now."""
    one = made("feat-x")
    found = compare([one], [seen(one, branch="")], [one.path])
    assert found.switched == {one.id: ""}
