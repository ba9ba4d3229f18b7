"""What of iMi's words is what of ours: pure decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from zdriver.context import rules as context_rules
from zdriver.core.errors import InvalidInput
from zdriver.importing.imi import Activity, Presence, Tree, moment
from zdriver.worktrees import rules
from zdriver.worktrees.model import PullRequest

#: iMi's types that are called otherwise here.
_TYPES = {"pr": rules.REVIEW, "feature": "feat", "bugfix": "fix", "experiment": "exp"}
_TRUNK = re.compile(r"trunk(-.*)?")
_PULL_REQUEST = re.compile(r"(?:pr|review)-(\d{1,9})(?:-.*)?")
#: Activities that are a step reached; the others say that a file was touched.
_MILESTONES = {"committed": "committed", "pushed": "pushed"}
MILESTONES_MAX = 1000
#: Older than this, nobody is at work there any more.
PRESENT = timedelta(hours=24)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A milestone to be."""

    text: str
    artifacts: tuple[str, ...]
    at: datetime


def is_trunk(tree: Tree) -> bool:
    return tree.worktree_type == rules.TRUNK or _TRUNK.fullmatch(tree.worktree_name) is not None


def type_of(tree: Tree) -> str:
    """As it would be called here; `OTHER` for what no type can be called."""
    wanted = _TYPES.get(tree.worktree_type.lower(), tree.worktree_type.lower())
    try:
        return rules.type_name(wanted)
    except InvalidInput:
        return rules.OTHER


def pull_request(tree: Tree, type_: str) -> PullRequest | None:
    match = _PULL_REQUEST.fullmatch(tree.worktree_name) if type_ == rules.REVIEW else None
    return PullRequest(number=int(match[1])) if match else None


def steps(activities: Iterable[Activity]) -> tuple[Step, ...]:
    """The newest ones, oldest first; what is no sentence or has no time is left out."""
    found = []
    for each in activities:
        done, at = _MILESTONES.get(each.activity_type.lower()), moment(each.created_at)
        if done is None or at is None:
            continue
        try:
            text = context_rules.sentence(f"{done}: {each.description or each.file_path}", "milestone")
            artifacts = context_rules.artifacts((each.file_path,) if each.file_path.strip() else ())
        except InvalidInput:
            continue
        found.append(Step(text=text, artifacts=artifacts, at=at))
    return tuple(sorted(found, key=lambda step: step.at)[-MILESTONES_MAX:])


def at_work(presence: Presence | None, *, hostname: str, now: datetime) -> bool:
    """Whether somebody of this machine may be at work in it now."""
    if presence is None or not presence.agent_id.strip() or presence.hostname not in ("", hostname):
        return False
    since = moment(presence.claimed_at)
    return since is not None and now - PRESENT <= since <= now + PRESENT


def base_of(tree: Tree, default_branches: Mapping[str, str], otherwise: str) -> str:
    """iMi made every branch from the default one."""
    return default_branches.get(tree.repo_name) or otherwise
