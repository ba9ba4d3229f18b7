"""What Redis and the way there say, in one line that names the setting and the cause."""

from __future__ import annotations

import ssl

from redis import exceptions

from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable

#: What a user of Redis must be allowed, in the words of ACL SETUSER.
RIGHTS = "~session:* ~intent:* ~zdriver:* +@read +@write +@scripting +@connection +info +time"
_SERVER = "start it (redis-cli ping answers PONG), or set the setting right"


def told(error: Exception, address: Address) -> Unavailable:
    """`error` as one of ours. It never holds a secret: what the driver says of a password is left out."""
    name = address.setting
    cause = _cause(error)
    said = str(error)
    if isinstance(error, exceptions.AuthenticationError) or said.startswith(("WRONGPASS", "NOAUTH")):
        return Unavailable(
            f"{name}: Redis refuses user or password",
            hint="give the password in the URL, by password_file or by password_command",
        )
    if isinstance(error, exceptions.NoPermissionError):
        return Unavailable(
            f"{name}: Redis does not allow its user what is needed: {_line(said)}",
            hint=f"ACL SETUSER NAME {RIGHTS}",
        )
    if isinstance(cause, ssl.SSLError):
        return Unavailable(
            f"{name}: TLS was refused: {_line(cause.reason or str(cause))}",
            hint="name the authority: ?ssl_ca_certs=/path/ca.crt",
        )
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        # A server without TLS waits for the rest of what it takes for a command.
        hint = (
            "is that its port for TLS? without TLS it is redis://" if address.scheme == "rediss" else _SERVER
        )
        return Unavailable(f"{name}: no answer from {address.shown} in time", hint=hint)
    if isinstance(error, exceptions.ConnectionError | OSError):
        why = getattr(cause, "strerror", None) or str(cause)
        return Unavailable(f"{name}: {address.shown} cannot be reached: {_line(why)}", hint=_SERVER)
    if isinstance(error, TypeError | ValueError):
        return Unavailable(
            f"{name} has an option that is not known or wrong: {_line(said)}", hint="docs/engines.md"
        )
    return Unavailable(f"{name}: Redis says: {_line(said)}", hint="its log says more")


def _cause(error: BaseException) -> BaseException:
    """The error at the bottom: the driver wraps what the socket said."""
    seen = {id(error)}
    while True:
        below = error.__cause__ or error.__context__
        if below is None or id(below) in seen:
            return error
        seen.add(id(below))
        error = below


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
