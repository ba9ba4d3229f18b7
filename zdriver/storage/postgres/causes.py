"""What PostgreSQL and libpq say, as one line for a person.

Errors of a running session carry an SQLSTATE. Those of connecting carry only a text: it is searched
for what is said in English, and shown as it is where the server speaks another language.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

import psycopg

from zdriver.core import urls
from zdriver.core.engines import Address
from zdriver.core.errors import Conflict, Internal, InvalidInput, StorageFull, Unavailable, ZdriverError


class Down(Unavailable):
    """The server does not answer at the moment; nothing is wrong with what it was asked."""


class _Cause(NamedTuple):
    said: re.Pattern[str]
    means: str  #: {1} is the pattern's first group
    hint: str
    kind: type[Unavailable]


def _cause(said: str, means: str, hint: str, kind: type[Unavailable] = Unavailable) -> _Cause:
    return _Cause(re.compile(said), means, hint, kind)


_START = "start the server, or correct {setting}; then do it again: nothing has to be restarted"
_AGAIN = "do it again"
_GRANT = "its owner runs: GRANT ALL ON SCHEMA public TO {user}, or gives zdriver a database of its own"

#: Searched from the first to the last.
_CAUSES = (
    _cause(
        r"password authentication failed for user \"(.*?)\"",
        "the password of user {1} is wrong",
        "set it in {section}.password_file, {section}.password_command or the URL",
    ),
    _cause(
        r"no password supplied",
        "the server asks for a password and none is set",
        "set {section}.password_file or {section}.password_command",
    ),
    _cause(
        r"role \"(.*?)\" does not exist",
        "the server knows no user {1}",
        "create it: createuser {1}; or name another one in {setting}",
    ),
    _cause(r"database \"(.*?)\" does not exist", "there is no database {1}", "create it: createdb {1}"),
    _cause(
        r"no pg_hba\.conf entry for (?:host|replication)[^,]*, user \"(.*?)\", database \"(.*?)\", (SSL|no)",
        "the server lets user {1} not in from here",
        "add a line to its pg_hba.conf, or ask for TLS with ?sslmode=require",
    ),
    _cause(
        r"server does not support SSL",
        "the server speaks no TLS, which the URL asks for",
        "turn TLS on in the server, or ask for less: ?sslmode=prefer",
    ),
    _cause(
        r"certificate verify failed|root certificate file|self.signed certificate",
        "the server's certificate is not trusted ({line})",
        "name its CA: ?sslmode=verify-full&sslrootcert=/path/ca.pem",
    ),
    _cause(
        r"server certificate for \"(.*?)\" .*does not match host name \"(.*?)\"",
        "the server's certificate is for {1}, the URL names {2}",
        "name the server as its certificate does",
    ),
    _cause(r"SSL error|sslv3 alert|tlsv1", "TLS was refused ({line})", "see the server's own log"),
    _cause(
        r"(?:could not translate host name|failed to resolve host) [\"'](.*?)[\"']",
        "the host {1} is not known",
        "correct the host's name in {setting}",
        Down,
    ),
    _cause(r"Connection refused", "nothing answers there", _START, Down),
    _cause(r"No such file or directory", "there is no such socket", _START, Down),
    _cause(
        r"the database system is (?:starting|shutting down|in recovery|not yet)",
        "the server is starting or ending",
        _AGAIN,
        Down,
    ),
    _cause(r"timeout expired|timed out", "it does not answer", _START, Down),
    _cause(
        r"too many (?:connections|clients)|connection slots",
        "the server has no connection left",
        _AGAIN,
        Down,
    ),
)

#: SQLSTATE → (what it means, what to do). https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATES = {
    "28P01": ("the password is wrong", "set {section}.password_file or {section}.password_command"),
    "3D000": ("there is no such database", "create it with createdb"),
    "42501": ("the user may not do that there ({line})", _GRANT),
    "25006": ("the server only reads, as a standby does", "name the primary server in {setting}"),
    "53200": ("the server is out of memory", _AGAIN),
    "55P03": ("somebody else holds what is needed; nothing was saved", _AGAIN),
    "40001": ("somebody else changed the same; nothing was saved", _AGAIN),
    "40P01": ("somebody else changed the same; nothing was saved", _AGAIN),
    "57014": ("the server was asked to give up; nothing was saved", _AGAIN),
}
#: SQLSTATEs of a server that went away while it was talked to.
GOING = ("57P01", "57P02", "57P03")
#: A statement that the driver takes for prepared is not: it was to be prepared in a pipeline, behind one that
#: failed. That connection would say so for ever.
UNPREPARED = "26000"
_INTRODUCTION = re.compile(r"^(?:- )?.*?(?:FATAL|ERROR):\s+|^(?:- )?(?:connection failed: )?")


def line(error: BaseException) -> str:
    """What was said, as one line, without libpq's introduction."""
    said = [part.strip() for part in str(error).splitlines() if part.strip()]
    if not said:
        return type(error).__name__
    # Of several attempts each has a line of its own: the last one decided.
    several = len(said) > 1 and said[0].startswith(("multiple", "connection"))
    return _INTRODUCTION.sub("", said[-1] if several else said[0])


def translate(error: BaseException, address: Address) -> ZdriverError:
    """Our error for psycopg's."""
    if isinstance(error, ZdriverError):
        return error
    state = getattr(error, "sqlstate", None) or ""
    if state in ("53100", "53400"):
        return StorageFull(
            f"{address.setting}: the server's disk is full; nothing was saved ({address.shown})",
            hint="make room on the server, then do it again",
        )
    if isinstance(error, psycopg.errors.NotNullViolation) and error.diag.column_name == "aggregate_seq":
        return Unavailable(  # `event.append` refuses what would lie before another one's event
            f"{address.setting}: others wrote about the same at each try; nothing was saved", hint=_AGAIN
        )
    if isinstance(error, psycopg.errors.IntegrityError):
        of = error.diag.constraint_name or line(error)
        return Conflict(f"the store holds something else already: {of}")
    if isinstance(error, (psycopg.DataError, UnicodeError)):
        return InvalidInput(
            f"PostgreSQL cannot keep that: {line(error)}", hint="leave NUL and broken characters out"
        )
    if state in _STATES:
        return _filled(Unavailable, address, error, *_STATES[state])
    for cause in _CAUSES:
        if found := cause.said.search(str(error)):
            groups = {str(i): text or "" for i, text in enumerate(found.groups(), 1)}
            return _filled(cause.kind, address, error, cause.means, cause.hint, groups)
    if state in GOING:
        return _filled(Down, address, error, "the server is going down", _START)
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return _filled(Down, address, error, "the connection broke ({line})", _START)
    return Internal(_hidden(f"{type(error).__name__}: {line(error)}", address))


def malformed(error: BaseException, address: Address) -> Unavailable:
    """For a URL that libpq makes no sense of."""
    said = _hidden(line(error), address)
    return Unavailable(f"{address.setting} cannot be used: {said}", hint="docs/engines.md has examples")


def _filled(
    kind: type[Unavailable],
    address: Address,
    error: BaseException,
    means: str,
    hint: str,
    groups: dict[str, str] | None = None,
) -> Unavailable:
    words = {
        "setting": address.setting,
        "section": address.setting.partition(".")[0],
        "line": line(error),
        "user": "the user",
        **(groups or {}),
    }

    def filled(text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: words[match[1]], text)

    message = _hidden(filled(means), address)
    return kind(f"{address.setting}: {message} ({address.shown})", hint=_hidden(filled(hint), address))


def _hidden(text: str, address: Address) -> str:
    """libpq repeats what it could not make sense of: never the secret."""
    parts = urls.parse(address.url)
    for secret in (parts.password, parts.option("password")):
        for form in (secret, unquote(secret or "")):
            if form:
                text = text.replace(form, urls.HIDDEN)
    return text
