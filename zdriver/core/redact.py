"""Secrets taken out of text and argv before anything is stored or published.

Two kinds are known: values with a shape of their own (a GitHub token, a JWT, a private key
block) and values whose place names them (`password=…`, `--token …`, `https://user:…@host`).
What merely looks random stays: commit hashes, UUIDs and paths are what people write about.

Every pattern is linear in its input: a run of characters is entered only at its beginning
(look-behind), never given back (possessive) or bounded in length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

REDACTED = "‹redacted›"

_W = "A-Za-z0-9_"
_START = f"(?<![{_W}-])"

#: Values known by their shape. The whole match goes.
_SHAPES = re.compile(
    _START
    + "(?:"
    + "|".join(
        (
            r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?![0-9A-Za-z])",  # AWS access key id
            r"gh[pousr]_[A-Za-z0-9]{20,255}",  # GitHub
            r"github_pat_[A-Za-z0-9_]{20,255}",
            r"gl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|imt|oas)-[\w.-]{20,255}",  # GitLab
            r"xox[abeoprs]-[A-Za-z0-9-]{10,255}",  # Slack
            r"xapp-\d-[A-Za-z0-9-]{10,255}",
            r"sk-(?:ant|proj|svcacct|admin|or|lf)-[\w-]{16,255}",  # Anthropic, OpenAI …
            r"sk-[A-Za-z0-9]{20,255}",
            r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,255}",  # Stripe
            r"whsec_[A-Za-z0-9+/=]{20,255}",
            r"AIza[\w-]{35,255}",  # Google
            r"ya29\.[\w-]{20,1024}",
            r"GOCSPX-[\w-]{20,255}",
            r"npm_[A-Za-z0-9]{30,255}",
            r"pypi-[\w-]{50,1024}",
            r"hf_[A-Za-z0-9]{30,255}",  # Hugging Face
            r"dckr_(?:pat|oat)_[\w-]{20,255}",
            r"do[opr]_v1_[a-f0-9]{64,255}",  # DigitalOcean
            r"hv[sbr]\.[\w-]{20,255}",  # Vault
            r"SG\.[\w-]{16,64}\.[\w-]{16,255}",  # SendGrid
            r"AGE-SECRET-KEY-1[A-Z0-9]{50,255}",
            r"eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+)?",  # JSON web token
        )
    )
    + ")"
)
_SLACK_HOOK = re.compile(r"(hooks\.slack\.com/services/)[A-Za-z0-9/]{20,100}")
_TELEGRAM = re.compile(r"(?<![0-9])[0-9]{8,10}:AA[\w-]{33}(?![\w-])")
_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)

#: A password in a URL: up to the last @ before the path, as passwords hold @ now and then.
_URL_PASSWORD = re.compile(
    r"(?i)(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}://[^\s/?#:@]{0,256}:)([^\s/?#]{1,512})@"
)
_URL_TOKEN = re.compile(r"(?i)(?<![a-z0-9+.-])(https?://)([a-z0-9_-]{20,256})@")

_SCHEME = re.compile(
    r"(?i)\b((?:proxy-)?authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:(?:basic|bearer|token|digest|apikey)\s{1,4})?"
    r"|bearer\s{1,4})([^\s\"',;]{6,})"
)

_VALUE = r"(\"[^\"\n]*+\"|'[^'\n]*+'|[\"']?[^\s\"';&|,]++)"
_ASSIGNED = re.compile(
    rf"(?<![{_W}.-])(-{{0,2}}([A-Za-z_][{_W}.-]{{0,79}}+)[\"']?(=|:=|\s?:\s{{0,2}}|\s{{0,3}}:?=\s{{0,3}}))(?!//){_VALUE}"
)
_ELEMENT = re.compile(rf"(<([A-Za-z_][{_W}.-]{{0,79}}+)>\s{{0,4}})([^<>\s]{{1,512}})(?=\s{{0,4}}</)")
#: "the token is X", "API key X": here a value has to look random, as words stand there as well.
_SPOKEN = re.compile(
    r"(?i)(?<![a-z0-9_-])"
    r"((?:password|passwd|passphrase|secret|token|credential|(?:api|access|secret|private|auth)[ -]key)"
    r"\s{1,4}(?:is:?\s{1,4}|=\s{1,4})?[\"'`]?)"
    rf"([{_W}+/=-]{{16,512}})(?![{_W}+/=-])(?!\.[{_W}])"
)
_FLAGGED = re.compile(rf"(?<![{_W}.-])(--?([A-Za-z][A-Za-z0-9-]{{1,60}}+)[ \t]{{1,8}})(?!-){_VALUE}")

_NAME = re.compile(rf"-{{0,2}}[{_W}.-]{{1,80}}")

#: Ends of names whose value is a secret …
_STRONG = re.compile(
    r"(?:passwords?|passwd|passphrase|passcode|secret|token|credentials?|signature"
    r"|(?:^|_)pwd|api_?key|access_?key|secret_?key|private_?key|encryption_?key|signing_?key"
    r"|master_?key|account_?key|auth_?key|key_?base)$"
)
#: … and of those whose value is one when it looks like one.
_WEAK = re.compile(r"(?:^|_)(?:pass|pw|pwd|auth|pat|sig|key|cookie)$")
#: `$PWD` is a folder, and `pwd=…` in a connection string a password.
_NOT_STRONG = frozenset(("pwd", "oldpwd", "key"))
_NOT_WEAK = frozenset(("key",))

#: What stands where a value might, and is none.
_NO_VALUE = re.compile(
    rf"(?i)(?:\$|<|\*|%\(|…|\.\.\.|{REDACTED}|(?:true|false|null|none|nil|yes|no|on|off|required|optional|undefined)$|\d{{1,4}}$)"
)
_PROSE = frozenset(
    word
    for line in (
        "a an and are argument arguments as at be by can field flag flags flow for from handling has if in",
        "into is it leak must name not of on only option options or parameter parsing prompt reset rotation",
        "setting should so storage support that the then through to too validation value via was when with",
    )
    for word in line.split()
)

_MYSQL = ((), ("-p",))
_LDAP = (("-w",), ())
#: program → its options whose value is a secret, given apart (`-a X`) or attached (`-pX`).
_OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mysql": _MYSQL,
    "mysqldump": _MYSQL,
    "mysqladmin": _MYSQL,
    "mysqlimport": _MYSQL,
    "mysqlshow": _MYSQL,
    "mariadb": _MYSQL,
    "mariadb-dump": _MYSQL,
    "mariadb-admin": _MYSQL,
    "sshpass": (("-p",), ("-p",)),
    "redis-cli": (("-a", "--pass"), ()),
    "mongosh": (("-p",), ()),
    "curl": (("-u", "--user", "-U", "--proxy-user"), ("-u", "--user=", "--proxy-user=")),
    "ldapsearch": _LDAP,
    "ldapadd": _LDAP,
    "ldapmodify": _LDAP,
    "ldapwhoami": _LDAP,
}
_NONE: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
_PROGRAM = re.compile(rf"(?<![{_W}-])(?:{'|'.join(_OPTIONS)})(?![{_W}-])")
_WORDS = re.compile(r"(\s+|[|;&])")
#: What one cut leaves may show another secret behind it; more than this only malice makes.
_PASSES = 4
_REACH = 40  #: words between a program and its option


def redact_text(text: str) -> tuple[str, bool]:
    """The text without its secrets, and whether there were any."""
    clean = text
    for _ in range(_PASSES):
        before, clean = clean, _redact(clean)
        if clean == before:
            break
    return clean, clean != text


def redact_blocks(text: str) -> str:
    """Without private key blocks, the only secrets of many lines."""
    return _KEY_BLOCK.sub(REDACTED, text) if "PRIVATE KEY" in text else text


def _redact(text: str) -> str:
    clean = redact_blocks(text)
    clean = _SHAPES.sub(REDACTED, clean)
    if ":" in clean:
        clean = _SLACK_HOOK.sub(rf"\g<1>{REDACTED}", clean)
        clean = _TELEGRAM.sub(REDACTED, clean)
        clean = _URL_PASSWORD.sub(_url_password, clean)
        clean = _URL_TOKEN.sub(_when(2, looks_secret, "@"), clean)
    clean = _SCHEME.sub(_when(2, looks_secret), clean)
    if "=" in clean or ":" in clean:
        clean = _ASSIGNED.sub(_assigned, clean)
    if "</" in clean:
        clean = _ELEMENT.sub(_element, clean)
    clean = _SPOKEN.sub(_when(2, _looks_random), clean)
    if "-" in clean:
        if _PROGRAM.search(clean):
            clean = _command_lines(clean)
        clean = _FLAGGED.sub(_flagged, clean)
    return clean


def redact_argv(argv: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """The argv without its secrets, and whether there were any: such a command never runs again."""
    if not argv:
        return argv, False
    options = _OPTIONS.get(argv[0].rsplit("/", 1)[-1], _NONE)
    clean = [redact_text(argv[0])[0]]
    clean += [_word(word, before, options) for before, word in pairwise(argv)]
    return tuple(clean), tuple(clean) != argv


def _word(word: str, before: str, options: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    """One argument: unlike in prose its borders are known, so the whole value goes."""
    if not word or word.startswith(REDACTED):
        return word
    flag = before.startswith("-") and "=" not in before and not before.startswith(options[1] or "=")
    if flag and not word.startswith("-") and _is_strong(before):
        return word if _NO_VALUE.match(word) else REDACTED
    changed = _option_value(word, before, options)
    if changed != word:
        return changed
    script = before.startswith("-") and before.endswith("c")  # sh -c, bash -lc
    name, equals, value = word.partition("=")
    named = equals and value and not script and _NAME.fullmatch(name) and not _NO_VALUE.match(value)
    if named and (_is_strong(name) or (_is_weak(name) and looks_secret(value))):
        return f"{name}={REDACTED}"
    return redact_text(word)[0]


def looks_secret(value: str) -> bool:
    """Whether it can hardly be a word: long enough, and digits or capitals inside."""
    value = value.strip("\"'")
    if len(value) < 6 or _NO_VALUE.match(value) or "/" in value[:1]:
        return False
    return any(c.isdigit() for c in value) or (value[1:] != value[1:].lower() and value != value.upper())


def _normal(name: str) -> str:
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.lstrip("-"))
    return name.replace("-", "_").replace(".", "_").lower().strip("_")


@lru_cache(maxsize=1024)
def _is_strong(name: str) -> bool:
    name = _normal(name)
    return name not in _NOT_STRONG and _STRONG.search(name) is not None


@lru_cache(maxsize=1024)
def _is_weak(name: str) -> bool:
    name = _normal(name)
    return name not in _NOT_WEAK and _WEAK.search(name) is not None


def _quoted(value: str) -> str:
    quote = value[0] if value[0] in "\"'" else ""
    return quote + REDACTED + (quote if len(value) > 1 and value.endswith(quote) else "")


def _when(group: int, decide: Callable[[str], bool], end: str = "") -> Callable[[re.Match[str]], str]:
    """Keep what is before `group`, take the group out when `decide` says so."""

    def replace(match: re.Match[str]) -> str:
        return match[1] + REDACTED + end if decide(match[group]) else match[0]

    return replace


def _url_password(match: re.Match[str]) -> str:
    if _NO_VALUE.match(match[2]) and not match[2].isdigit():
        return match[0]
    return f"{match[1]}{REDACTED}@"


def _assigned(match: re.Match[str]) -> str:
    lead, name, sign, value = match.groups()
    bare = value.strip("\"'")
    if not bare or _NO_VALUE.match(bare):
        return match[0]
    if _is_strong(name):
        # After a colon, and around an equals sign with spaces, stand prose and code as well.
        secret = sign in ("=", ":=") or looks_secret(value)
    else:
        secret = _is_weak(name) and looks_secret(value)
    return lead + _quoted(value) if secret else match[0]


def _element(match: re.Match[str]) -> str:
    if not _is_strong(match[2]) or _NO_VALUE.match(match[3]):
        return match[0]
    return match[1] + REDACTED


def _looks_random(value: str) -> bool:
    """Of no word and no name: small, capital and digits mixed, or many hexadecimal digits."""
    digits = sum(c.isdigit() for c in value)
    mixed = digits > 1 and value != value.lower() and value != value.upper()
    return mixed or (len(value) >= 32 and digits > 4 and all(c in "0123456789abcdefABCDEF" for c in value))


def _flagged(match: re.Match[str]) -> str:
    lead, name, value = match.groups()
    bare = value.strip("\"'")
    if not bare or _NO_VALUE.match(bare) or bare.strip(".,;:!?)").lower() in _PROSE or not _is_strong(name):
        return match[0]
    return lead + _quoted(value)


def _command_lines(text: str) -> str:
    """`mysql -pX` in prose or a script: an option counts only behind its program."""
    parts = _WORDS.split(text)
    options, left, before = _NONE, 0, ""
    for i, word in enumerate(parts):
        if i % 2:  # what stands between words
            if not word.isspace() or "\n" in word:
                options, before = _NONE, ""
            continue
        known = _OPTIONS.get(word.rsplit("/", 1)[-1])
        if known is not None:
            options, left = known, _REACH
        elif left > 0 and options is not _NONE:
            parts[i] = _option_value(word, before, options)
        left, before = left - 1, word
    return "".join(parts)


def _option_value(word: str, before: str, options: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    apart, attached = options
    if not word or _NO_VALUE.match(word):
        return word
    if before in apart:
        return _user_and_password(before, word)
    for option in attached:
        if word.startswith(option) and len(word) > len(option):
            return option + _user_and_password(option, word[len(option) :])
    return word


def _user_and_password(option: str, value: str) -> str:
    """`-u name:password` keeps the name; a name alone is no secret."""
    if option.rstrip("=") in _OPTIONS["curl"][0]:
        user, colon, password = value.partition(":")
        return f"{user}:{REDACTED}" if colon and password else value
    return value if value.startswith(REDACTED) else REDACTED
