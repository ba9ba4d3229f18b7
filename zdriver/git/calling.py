"""One git command, run through GitPython: whole environment, time limit, both outputs, errors as ours.

GitPython is imported at the first call and not before. It starts the process; waiting for it is done
here (`core/conversing.py`), since its own time limit kills at once (SIGTERM lets git take its lock files
away first) and waits as long as anything that a hook left running has the output open.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from zdriver.core import umask
from zdriver.core.conversing import converse
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.git.failing import Failure, half_made, lock_in_the_way, translated

if TYPE_CHECKING:
    from git import Git

#: seconds; a checkout of a large repository through filters takes minutes
READING, WRITING = 60.0, 1800.0
#: seconds that a lock file of somebody else's is waited for
LOCK_WAIT = 1.0
#: seconds that worktrees which others are making right now may keep a git from its work
MAKING_WAIT = 3.0
_PAUSE = 0.02
#: exit statuses: the caller looks at them itself
ANY = tuple(range(-64, 256))
#: seconds that the output is waited for which a hook left running has open
_LINGER = 1.0
#: Variables that say which repository git means (git(1)): zdriver says that itself.
_OF_A_REPOSITORY = frozenset(
    (
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"),
        *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_GRAFT_FILE"),
    )
)
_READS = {"GIT_OPTIONAL_LOCKS": "0"}


class Answer(NamedTuple):
    code: int  #: exit status; below 0: the signal that ended it
    out: bytes
    err: str

    def lines(self) -> list[str]:
        return os.fsdecode(self.out).splitlines()

    def text(self) -> str:
        """Without the newline at the end."""
        return os.fsdecode(self.out).removesuffix("\n")


def read(
    where: Sequence[str],
    args: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    ok: tuple[int, ...] = (0,),
    timeout: float = READING,
) -> Answer:
    """A command that changes nothing, nor takes git's optional locks.

    where: what `targets` made. ok: exit statuses that are answers. timeout: seconds.
    Raises NotFound, Conflict, Unavailable or ZdriverError with git's own words.
    """
    end = time.monotonic() + MAKING_WAIT
    while True:
        answer = _run(where, args, {**(env or {}), **_READS}, stdin, timeout)
        if not (answer.code and half_made(answer.err)) or time.monotonic() >= end:
            break
        time.sleep(_PAUSE)
    if answer.code not in ok:
        raise failed(where, args, answer)
    return answer


def failed(where: Sequence[str], args: Sequence[str], answer: Answer) -> ZdriverError:
    """The error that says why."""
    return translated(Failure(where, args, answer.code, answer.err))


def write(
    where: Sequence[str],
    args: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    ok: tuple[int, ...] = (0,),
    timeout: float = WRITING,
    once: bool = False,
) -> Answer:
    """A command that may change something. One that finds a lock file in its way is tried again until
    LOCK_WAIT is over, one that finds a worktree that is being made until MAKING_WAIT is.

    once: what stumbles over such a worktree may have changed something already. Raises as `read` does.
    """
    begun = time.monotonic()
    end = begun + LOCK_WAIT
    while True:
        answer = _run(where, args, env or {}, stdin, timeout)
        lock = lock_in_the_way(answer.err) if answer.code else ""
        if answer.code and not once and half_made(answer.err) and time.monotonic() < begun + MAKING_WAIT:
            time.sleep(_PAUSE)
            continue
        if not lock:
            if answer.code in ok:
                return answer
            raise failed(where, args, answer)
        if not _gone(lock, end):
            raise failed(where, args, answer)


def _gone(lock: str, end: float) -> bool:
    """Whether the lock file went before `end`. No event tells of it."""
    while time.monotonic() < end:
        if not os.path.lexists(lock):
            return True
        time.sleep(_PAUSE)
    return False


def _run(
    where: Sequence[str], args: Sequence[str], env: Mapping[str, str], stdin: bytes, timeout: float
) -> Answer:
    command = [*_clean_start(env), "git", *where, *args]
    given = {name: value for name, value in env.items() if name not in _OF_A_REPOSITORY or name in _OWN}
    given.pop(umask.VARIABLE, None)
    given["GIT_TERMINAL_PROMPT"] = "0"
    given["LC_ALL"] = given["LANGUAGE"] = "C"  # what git says is read here
    try:
        started = _git().execute(
            command,
            as_process=True,
            istream=subprocess.PIPE if stdin else None,
            env=given,
            umask=umask.of(env),
            start_new_session=True,  # so that hooks and filters end with it, and ssh asks no terminal
        )
    except ValueError as error:  # a NUL in an argument
        raise Unavailable(f"git cannot be asked that: {error}") from error
    except OSError as error:
        raise Unavailable(f"git cannot be started: {error}") from error
    except Exception as error:
        raise _unstartable(error) from error
    process = started.proc
    assert process is not None
    try:
        out, err = _wait(process, stdin, timeout)
    finally:
        if process.poll() is None:
            _end(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
    if out is None:
        told = err.decode("utf-8", "replace").strip()
        raise Unavailable(
            f"git {args[0]} was ended after {timeout:g} s" + (f": {told.splitlines()[-1]}" if told else ""),
            hint="a hook, a filter or the network hangs; run the same git command by hand to see where",
        )
    return Answer(process.returncode, out, err.decode("utf-8", "replace").strip())


#: Set by this layer, and only by it, in the `env` of a call.
_OWN = frozenset(("GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"))


def _clean_start(env: Mapping[str, str]) -> list[str]:
    """GitPython hands this process's environment on: what names a repository there (zdriver called
    from a git hook, say) must not reach git.
    """
    unwanted = [
        name for name in _OF_A_REPOSITORY if name in os.environ and not (name in _OWN and name in env)
    ]
    return ["env", *(word for name in sorted(unwanted) for word in ("-u", name))] if unwanted else []


def _wait(process: subprocess.Popen[bytes], stdin: bytes, timeout: float) -> tuple[bytes | None, bytes]:
    """(output, errors) once it has ended; output None: it took longer than `timeout` seconds."""
    try:
        return converse(process, stdin, timeout=timeout, linger=_LINGER)
    except subprocess.TimeoutExpired as late:
        _end(process)
        return None, late.stderr or b""


def _end(process: subprocess.Popen[bytes]) -> None:
    """It and all that it started. git removes its lock files on SIGTERM; what stays after that is killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2)
            if number == signal.SIGTERM:
                continue  # its children may still be there
            return


def _git() -> Git:
    try:
        from git import Git
    except ImportError as error:  # GitPython looks for git when it is imported
        raise _unstartable(error) from error
    return Git()


def _unstartable(error: Exception) -> Unavailable:
    return Unavailable(
        f"git cannot be started: {str(error).strip().splitlines()[0]}",
        hint="install git 2.30 or newer, and see that it is on PATH",
    )
