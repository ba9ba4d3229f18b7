"""What is known about programs: which may start by themselves, and how an agent is resumed.

The lists are short on purpose. Only what shows something and changes nothing runs by
itself; all that is unknown waits for Enter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zdriver.context.quoting import is_shell, shell_name


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Editors, by the options with which they still only edit. Another option (`-c`, `--cmd`,
#: `-S`, `--eval` …) may run commands or load code, and so may `+…`: then they wait.
EDITORS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("vi", "vim", "nvim", "view", "nview", "vimdiff", "nvimdiff", "ex"),
        _words("-R -n -p -o -O -d -b -m -M -N -y -Z --noplugin --clean --"),
    ),
    **dict.fromkeys(("emacs", "zile", "mg"), _words("-nw -Q -q --no-window-system --quick --")),
    **dict.fromkeys(("emacsclient",), _words("-t -nw --tty --no-window-system --")),
    **dict.fromkeys(("hx", "helix"), _words("--vsplit --hsplit --")),
    **dict.fromkeys(("kak",), _words("-ro -n --")),
    **dict.fromkeys(("nano", "pico"), _words("-v -l -m -i -w -S -E -L -x -A -- --view --mouse")),
    **dict.fromkeys(("micro", "joe", "jed", "ne", "ed", "amp"), frozenset({"--"})),
}
#: Pagers, by the beginnings of options that start a program or write a file.
PAGERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("less", "zless"), ("-k", "-o", "-O", "--log", "--LOG", "--lesskey")),
    **dict.fromkeys(("man",), ("-P", "-H", "-C", "--pager", "--html", "--config")),
    **dict.fromkeys(("bat", "batcat"), ("--pager", "--config", "--generate")),
    **dict.fromkeys(("more", "most", "tail", "moar", "ov"), ()),
}
MONITORS = _words("top htop btop btm bpytop bashtop iotop iftop nload nvtop sleep")
#: `less +F` follows the file, `+G` and `+12` jump in it.
_JUMP = re.compile(r"\+(F|G|[0-9]+)\Z")

#: Programs that start others, or reach other machines: named for the reason they give.
_REASONS = {
    "ssh": "ssh reaches another machine",
    "mosh": "mosh reaches another machine",
    "scp": "scp copies files",
    "rsync": "rsync copies files",
    "sudo": "sudo acts as another user",
    "doas": "doas acts as another user",
    "su": "su acts as another user",
    "watch": "watch runs another command",
}

_AGENTS = frozenset({"claude", "codex", "gemini"})
_RUNTIMES = frozenset({"node", "bun", "deno"})
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
#: How an agent's own command line names its session.
_SESSION_FLAGS = {
    "claude": ("--resume", "-r", "--session-id"),
    "gemini": ("--resume", "-r", "--session-id"),
    "codex": ("resume",),
}
_IDLE_FLAGS = frozenset({"-l", "-i", "-il", "-li", "--login", "--interactive"})


def shell_idle(argv: Sequence[str]) -> bool:
    """A shell with no script and no command: bringing back the pane brings it back."""
    return bool(argv) and is_shell(argv[0]) and all(arg in _IDLE_FLAGS for arg in argv[1:])


def runs_by_itself(argv: Sequence[str]) -> tuple[bool, str]:
    """Whether `argv` may start without being asked, and why (not)."""
    name = shell_name(argv[0])
    args = argv[1:]
    if name in EDITORS:
        flag = _stray_option(args, EDITORS[name])
        return _unless(flag, name, "an editor")
    if name in PAGERS:
        flag = _starting(args, PAGERS[name])
        return _unless(flag, name, "a pager")
    if name in MONITORS:
        return True, f"{name} only shows something"
    if is_shell(argv[0]):
        return False, f"{name} runs a command or a script"
    return False, _REASONS.get(name, f"{name} is not known to be harmless")


def _unless(flag: str, name: str, kind: str) -> tuple[bool, str]:
    if flag:
        return False, f"{name} with {flag} may run commands"
    return True, f"{name} is {kind}"


def _stray_option(args: Sequence[str], allowed: frozenset[str]) -> str:
    """The first option that is not among `allowed`; "" when there is none."""
    for arg in args:
        if arg == "--":
            return ""
        # -p2: two tab pages
        if arg.startswith("+") or (
            arg.startswith("-") and len(arg) > 1 and arg.rstrip("0123456789") not in allowed
        ):
            return arg
    return ""


def _starting(args: Sequence[str], refused: tuple[str, ...]) -> str:
    """The first argument that begins with one of `refused`, or is a `+command`."""
    for arg in args:
        if arg == "--":
            return ""
        if (refused and arg.startswith(refused)) or (arg.startswith("+") and not _JUMP.match(arg)):
            return arg
    return ""


def agent_of(argv: Sequence[str]) -> str:
    """claude, codex or gemini, also when started by node; else ""."""
    if not argv:
        return ""
    name = shell_name(argv[0])
    if name in _RUNTIMES:
        script = next((arg for arg in argv[1:] if not arg.startswith("-")), "")
        name = script.rsplit("/", 1)[-1].removesuffix(".js")
    return name if name in _AGENTS else ""


def session_in(agent: str, argv: Sequence[str]) -> str:
    """The session id that the agent was started with, where its command line names one exactly."""
    flags = _SESSION_FLAGS.get(agent, ())
    for at, arg in enumerate(argv):
        flag, _, value = arg.partition("=")
        if flag not in flags:
            continue
        if not value and at + 1 < len(argv):
            value = argv[at + 1]
        if _UUID.match(value):
            return value
    return ""


def resume_argv(agent: str, argv: Sequence[str], session: str) -> tuple[str, ...]:
    """How to resume exactly that session. Other arguments are not repeated: one may be the prompt."""
    program = argv[0] if argv and shell_name(argv[0]) == agent else agent
    if agent == "codex":
        return program, "resume", session
    return program, "--resume", session
