"""What a worktree is, where it goes, and which one is meant: pure decisions."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from zdriver.core.errors import Ambiguous, InvalidInput, NotFound
from zdriver.worktrees.model import Line, Worktree, WorktreeType
from zdriver.worktrees.names import key

#: The repository's main worktree.
TRUNK = "trunk"
#: Made by other means, and its name tells no type.
OTHER = "other"
REVIEW = "review"

BUILTIN = tuple(
    WorktreeType(name=name, description=description, builtin=True)
    for name, description in (
        ("feat", "a new feature"),
        ("fix", "a bug to mend"),
        ("aiops", "agents: their prompts, rules and tools"),
        ("devops", "builds, pipelines, deployment"),
        ("exp", "an experiment"),
        (REVIEW, "somebody's pull request"),
    )
)
_RESERVED = frozenset((TRUNK, OTHER))
_TYPE = re.compile(r"[a-z][a-z0-9]{0,23}")


# ---- types --------------------------------------------------------------------------------


def type_name(given: str) -> str:
    """Of an own type. Raises InvalidInput."""
    if not _TYPE.fullmatch(given) or given in _RESERVED:
        raise InvalidInput(
            f"a type cannot be called {given!r}",
            hint="1 to 24 letters and digits, lower case, a letter first; not trunk, not other",
        )
    return given


def known_type(given: str, known: Iterable[WorktreeType]) -> WorktreeType:
    """Raises NotFound with what there is."""
    types = {each.name: each for each in known}
    if given in types:
        return types[given]
    raise NotFound(
        f"there is no type {given!r}; there are {', '.join(sorted(types))}",
        hint=f"did you mean {close[0]}?"
        if (close := get_close_matches(given, types, n=1))
        else "zdriver worktree types add NAME makes one",
    )


def guess_type(name: str, branch: str, known: Iterable[WorktreeType]) -> str:
    """Of a worktree that was made by other means: feat-x, feat/x; else `OTHER`."""
    types = {each.name for each in known}
    for text in (name, branch):
        front = re.split(r"[-/_]", text, maxsplit=1)[0]
        if front in types and front != text:
            return front
    return OTHER


# ---- places -------------------------------------------------------------------------------


def container(template: str, *, trunk: str, git_dir: str, home: str = "") -> str:
    """The folder in which a repository's worktrees and sync/ lie. Absolute.

    template  "" is the default: the trunk's parent when the trunk is called `trunk-*` (that
              parent is a container), the parent of a bare `.git` or `.bare`, else
              `../<repo>.worktrees`. `{parent}` and `{repo}` are the folder the repository lies
              in and its name; what is relative begins at the parent.

    Raises InvalidInput.
    """
    parent, repo = _seat(trunk or git_dir, bare=not trunk)
    if "/.git/modules/" in git_dir:  # a submodule's would be untracked files in what it is part of
        parent = os.path.dirname(git_dir.partition("/.git/modules/")[0])  # noqa: PTH120 pure text
    if not template:
        own = os.path.basename(trunk).startswith("trunk-") or os.path.basename(git_dir) in (".bare",)  # noqa: PTH119 pure text
        if own or (not trunk and os.path.basename(git_dir) == ".git"):  # noqa: PTH119 pure text
            return os.path.dirname(trunk or git_dir)  # noqa: PTH120 pure text
        return f"{parent.rstrip('/')}/{repo}.worktrees"
    if unknown := set(re.findall(r"\{(\w*)\}", template)) - {"parent", "repo"}:
        raise InvalidInput(
            f"worktrees.path has {{{unknown.pop()}}}; there are {{parent}} and {{repo}}",
            hint="`zdriver config edit` opens it",
        )
    text = template.replace("{parent}", parent).replace("{repo}", repo)
    if text == "~" or text.startswith("~/"):
        text = home + text[1:]
    return os.path.normpath(text if text.startswith("/") else f"{parent}/{text}")


def _seat(place: str, *, bare: bool) -> tuple[str, str]:
    """(folder the repository lies in, its name): /x/app → (/x, app); /x/app.git → (/x, app)."""
    parent, name = os.path.split(place)
    if bare and name in (".bare", ".git"):
        parent, name = os.path.split(parent)
    return parent, (name.removesuffix(".git") if bare else name) or "repo"


# ---- which one is meant ---------------------------------------------------------------------


def named(given: str, worktrees: Sequence[Worktree]) -> Worktree | None:
    """A full name, else a unique short one: see `_by_name`. None: nothing has it.

    Raises Ambiguous with the candidates.
    """
    for matches in _by_name(given):
        found = [each for each in worktrees if matches(each)]
        if len(found) == 1:
            return found[0]
        if found:
            raise Ambiguous(
                f"{given!r} can be {', '.join(sorted(each.name for each in found)[:8])}",
                hint="give the whole name",
            )
    return None


def _by_name(given: str) -> tuple[Callable[[Worktree], bool], ...]:
    """From exact to loose; the first that anything satisfies decides."""
    asked = key(given)
    return (
        lambda each: each.name == given,
        lambda each: each.trunk and given == TRUNK,
        lambda each: key(each.name) == asked or each.title == given,
        lambda each: short(each) == asked or (each.branch == given and given != ""),
        lambda each: asked != "" and (key(each.name).startswith(asked) or short(each).startswith(asked)),
        lambda each: len(asked) > 1 and asked in key(each.name),
    )


def is_path(given: str) -> bool:
    """Whether it can only be meant as one; `a/b` may be the name of a branch."""
    return given in (".", "..") or given.startswith(("/", "./", "../", "~/"))


def short(worktree: Worktree) -> str:
    """The name without its type, as it is compared."""
    return key(worktree.name.removeprefix(f"{worktree.type}-"))


def unknown(given: str, worktrees: Iterable[Worktree], elsewhere: Sequence[Line] = ()) -> NotFound:
    """elsewhere: those of that name on other machines."""
    if elsewhere:
        there = ", ".join(sorted({each.host for each in elsewhere}))
        return NotFound(
            f"{elsewhere[0].worktree.name} is on {there}, not here",
            hint="`zdriver worktree list --all-hosts` shows it; to work at it here, make it here, too",
        )
    names = {key(each.name): each.name for each in worktrees} | {short(each): each.name for each in worktrees}
    close = get_close_matches(key(given), names, n=1, cutoff=0.5)
    return NotFound(
        f"there is no worktree {given!r} here",
        hint=f"did you mean {names[close[0]]}? `zdriver worktree list` shows all"
        if close
        else "`zdriver worktree list` shows what there is",
    )


def exactly(query: str, worktrees: Iterable[Worktree]) -> Worktree | None:
    """The one of that very name, or the trunk by its word, when it is ready."""
    for each in worktrees:
        if each.state == "ready" and (each.name == query or (each.trunk and query == TRUNK)):
            return each
    return None


def equally_good(query: str, found: Sequence[Worktree]) -> tuple[Worktree, ...]:
    """Those at the head of what `ranked` gave that match in the same way: the whole name, its
    beginning, the beginning of a word, within a word, letters in order.
    """
    asked = key(query).replace(" ", "")
    if not found or exactly(query, found[:1]) is not None:
        return tuple(found[:1])
    ways = [(each, _score(asked, each)) for each in found]
    best = ways[0][1]
    return tuple(each for each, way in ways if best is None or (way is not None and int(way) == int(best)))


def ranked(query: str, worktrees: Sequence[Worktree]) -> tuple[Worktree, ...]:
    """For `go`: those in whose name or title the letters of `query` come in order, best first.

    Without a query: all, the last used first, the trunk before them.
    """
    asked = key(query).replace(" ", "")
    scored = [
        (score, -each.used_at.timestamp(), each.name, each)
        for each in worktrees
        if (score := _score(asked, each)) is not None
    ]
    return tuple(each for *_, each in sorted(scored, key=lambda entry: entry[:3]))


def _score(asked: str, worktree: Worktree) -> float | None:
    """The lower, the better; None: no match."""
    if not asked:
        return -1 if worktree.trunk else 0
    return min(
        (
            found
            for text in (short(worktree), key(worktree.name), key(worktree.title))
            if (found := _distance(asked, text)) is not None
        ),
        default=None,
    )


def _distance(asked: str, text: str) -> float | None:
    if asked == text:
        return 0
    if text.startswith(asked):
        return 1 + len(text) / 1000
    if (at := text.find(asked)) >= 0:
        after = text[at - 1] in "-_/. "
        return (2 if after else 3) + at / 1000
    initials = "".join(word[0] for word in re.split(r"[-_/. ]+", text) if word)
    if len(asked) > 1 and asked in initials:
        return 3.5 + len(text) / 1000
    gaps, position = 0, -1
    for letter in asked:
        found = text.find(letter, position + 1)
        if found < 0:
            return None
        gaps += found - position - 1
        position = found
    return 4 + gaps / 100
