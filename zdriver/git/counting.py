"""How many commits worktrees are ahead of and behind their bases: a few processes for all of them.

git counts one pair per process (`rev-list --left-right --count`), or needs 2.41 (`%(ahead-behind)`).
Here one process finds a commit that all have in common and one lists what lies above it, usually
little; the counting is done in Python. Where much lies above it, git counts each pair.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from zdriver.git import calling, refs
from zdriver.git.targets import in_repo

Env = Mapping[str, str] | None
#: commits listed at most: 5,000 lines are read in 10 ms
_MOST = 5000

Parents = Mapping[str, tuple[str, ...]]
Sides = tuple[int, int] | None  #: (ahead, behind); None: no base, or no history in common


def ahead_behind(
    git_dir: str, pairs: Collection[tuple[str, str]], env: Env = None
) -> dict[tuple[str, str], Sides]:
    """For each (commit, base): how many commits each has that the other has not. Bases are revisions."""
    bases = {base: _resolve(git_dir, base, env) for base in {base for _, base in pairs}}
    answer: dict[tuple[str, str], Sides] = {}
    open_ = set()
    for head, base in pairs:
        commit = bases[base]
        if commit is None or commit == head:
            answer[head, base] = None if commit is None else (0, 0)
        else:
            open_.add((head, commit))
    counted = _counted(git_dir, open_, env) if open_ else {}
    for head, base in pairs:
        if (head, base) not in answer:
            answer[head, base] = counted[head, bases[base] or ""]
    return answer


def _resolve(git_dir: str, rev: str, env: Env) -> str | None:
    if refs.is_commit_id(rev):
        return rev
    found = refs.read_ref(git_dir, f"refs/heads/{rev}") if refs.valid_branch(rev) else None
    if found:
        return found
    args = ("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    answer = calling.read(in_repo(git_dir), args, env=env, ok=(0, 1, 128))
    return answer.text() if answer.code == 0 and not rev.startswith("-") else None


def _counted(git_dir: str, pairs: Collection[tuple[str, str]], env: Env) -> dict[tuple[str, str], Sides]:
    where = in_repo(git_dir)
    commits = sorted({commit for pair in pairs for commit in pair})
    fork = calling.read(where, ("merge-base", "--octopus", *commits), env=env, ok=(0, 1, 128))
    if fork.code == 0:
        args = ("rev-list", "--parents", f"--max-count={_MOST + 1}", "--stdin")
        stdin = "\n".join((*commits, f"^{fork.text()}")).encode() + b"\n"
        lines = calling.read(where, args, env=env, stdin=stdin).lines()
        if len(lines) <= _MOST:
            parents = {words[0]: tuple(words[1:]) for words in map(str.split, lines)}
            return {pair: sides(parents, *pair) for pair in pairs}
    return {pair: _one(where, *pair, env) for pair in pairs}


def sides(parents: Parents, left: str, right: str) -> tuple[int, int]:
    """Pure: (only left's, only right's) among the commits in `parents`; others lie below both."""
    ours, theirs = _reach(parents, left), _reach(parents, right)
    return len(ours - theirs), len(theirs - ours)


def _reach(parents: Parents, tip: str) -> set[str]:
    seen: set[str] = set()
    open_ = [tip]
    while open_:
        commit = open_.pop()
        if commit in parents and commit not in seen:
            seen.add(commit)
            open_.extend(parents[commit])
    return seen


def _one(where: tuple[str, ...], head: str, base: str, env: Env) -> Sides:
    args = ("rev-list", "--left-right", "--count", f"{head}...{base}", "--")
    answer = calling.read(where, args, env=env, ok=(0, 128))
    if answer.code:
        return None  # a commit that a shallow clone has not
    ahead, behind = answer.text().split()
    return int(ahead), int(behind)
