"""An argv → one line to type into a shell, so that this shell runs exactly that argv.

    quote(argv, shell) -> str          shell: argv[0] of the pane's shell ("-bash", "/usr/bin/fish")
    fits(line) -> bool                 short enough to be typed before the shell reads it

The line is typed, not passed to `-c`. So it holds no control character (a tab would
complete, ^C would interrupt, a newline would run half of it), nothing that history
expansion takes (`!`), and it is not led by a space: the user's history shall have it.

The program is called as `command NAME`, because what /proc showed was a program: an alias
`rg='rg -S'` would add its `-S` once more at every restore.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

#: A terminal that no shell reads from yet holds 4095 bytes of a line and drops the rest.
LINE_MAX = 4000  #: bytes

_SAFE = re.compile(r"[A-Za-z0-9_@+:,./-][A-Za-z0-9_@%+=:,./-]*\Z")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_NAME_MAX = 64

_Style = Callable[[Sequence[str], str], str]  #: (words, what leads them) → a line


def quote(argv: Sequence[str], shell: str = "") -> str:
    """One line that runs `argv` in `shell`; an unknown shell gets what POSIX sh understands.

    Bytes that are not UTF-8 come as lone surrogates (`surrogateescape`) and go out as bytes.
    """
    style, plain = _STYLES.get(shell_name(shell), (_posix, True))
    words = list(argv)
    lead = "command " if words and not plain and "/" not in words[0] else ""
    return style(words, lead)


def fits(line: str) -> bool:
    return len(line.encode("utf-8", "surrogateescape")) <= LINE_MAX


def shell_name(argv0: str) -> str:
    """`/usr/bin/bash` → bash, `-zsh` (a login shell) → zsh."""
    return argv0.rsplit("/", 1)[-1].removeprefix("-")[:_NAME_MAX]


def is_shell(argv0: str) -> bool:
    return shell_name(argv0) in SHELLS


def _typable(word: str) -> bool:
    """Whether every character can be typed as it is, within quotes."""
    return word.isprintable()


def _bare(word: str, first: bool) -> bool:
    if not _SAFE.match(word):
        return False
    # `a=b prog` sets a variable; zsh looks up `=prog`
    return not (first and _ASSIGNMENT.match(word))


def _bytes(char: str) -> bytes:
    return char.encode("utf-8", "surrogateescape")


# ---------------------------------------------------------------- bash, zsh


def _ansi_c(words: Sequence[str], lead: str) -> str:
    return lead + " ".join(_ansi_c_word(word, at == 0) for at, word in enumerate(words))


def _ansi_c_word(word: str, first: bool) -> str:
    if _bare(word, first):
        return word
    if _typable(word):
        return _single(word)
    return "$'" + "".join(map(_ansi_c_char, word)) + "'"


def _ansi_c_char(char: str) -> str:
    # Octal for ' too: history expansion does not know \' and would see the quotes end there
    if char in "'\\!" or not char.isprintable():
        return "".join(f"\\{byte:03o}" for byte in _bytes(char))
    return char


def _single(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


# ---------------------------------------------------------------- fish


def _fish(words: Sequence[str], lead: str) -> str:
    return lead + " ".join(_fish_word(word, at == 0) for at, word in enumerate(words))


def _fish_word(word: str, first: bool) -> str:
    if _bare(word, first) and "%" not in word:
        return word
    # Within '…' fish unescapes \\ and \' only; escapes for bytes count outside of quotes
    parts: list[str] = []
    inside = False
    for char in word:
        printable = char.isprintable()
        if printable != inside:
            parts.append("'")
            inside = printable
        if printable:
            parts.append("\\" + char if char in "'\\" else char)
        else:
            parts += [f"\\X{byte:02x}" for byte in _bytes(char)]
    if inside:
        parts.append("'")
    return "".join(parts) or "''"


# ---------------------------------------------------------------- POSIX sh


def _posix(words: Sequence[str], lead: str) -> str:
    if all(map(_typable, words)):
        return lead + " ".join(
            word if _bare(word, at == 0) else _single(word) for at, word in enumerate(words)
        )
    # sh has no escapes in words, but its printf has: build the line there, and run that
    line = lead + " ".join(map(_single, words))
    return "eval \"$(printf '" + "".join(map(_printf_char, line)) + "')\""


def _printf_char(char: str) -> str:
    if char == "%":
        return "%%"
    if char in "'\\!" or not char.isprintable():
        return "".join(f"\\{byte:03o}" for byte in _bytes(char))
    return char


#: Per shell: how to quote, and whether the program's name is left without `command`.
_STYLES: dict[str, tuple[_Style, bool]] = {
    "bash": (_ansi_c, False),
    "zsh": (_ansi_c, False),
    "fish": (_fish, False),
    "sh": (_posix, False),
    "dash": (_posix, False),
    "ash": (_posix, False),
    "ksh": (_posix, False),
    "mksh": (_posix, False),
}

#: Programs that are a shell: with nothing but options that say so, an idle one.
SHELLS = frozenset({*_STYLES, "nu", "xonsh", "elvish", "tcsh", "csh", "rbash", "pwsh", "oksh", "yash"})
