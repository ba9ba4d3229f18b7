"""URLs of engines: taken apart, checked, and shown without their secrets.

One grammar for all of them, which libpq, redis-py and pika read alike:

    scheme://[user[:password]@][host[:port][,host[:port]…]][/path][?name=value&…]

Characters that mean something in a URL stand percent-encoded in user and password. What
does not fit is refused here, with a message that has no part of the text in it: in a URL
that was typed wrongly, a password may stand anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

HIDDEN = "***"

#: Options whose values are no secrets. All others are hidden: better one too many.
_OPTIONS = """
application_name blocked_connection_timeout cacertfile cafile ca_certs certfile channel_max client_encoding
connect_timeout connection_attempts connection_timeout db dbname frame_max gssencmode heartbeat host hostaddr
keepalives keepalives_count keepalives_idle keepalives_interval keyfile options port retry_delay
server_name server_name_indication socket_connect_timeout socket_timeout ssl_ca_certs ssl_ca_path
ssl_cert_reqs ssl_certfile ssl_check_hostname ssl_keyfile ssl_min_version sslcert sslcrl sslkey sslmode
sslrootcert sslsni target_session_attrs user username verify
"""
_HARMLESS = frozenset(_OPTIONS.split())
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://([^/?]*)([^?]*)(?:\?(.*))?", re.DOTALL)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
_ENCODE = "in user and password, write / as %2F, @ as %40, : as %3A, # as %23, ? as %3F and % as %25"


class Malformed(Exception):
    """`str` says what is wrong, `hint` how to write it; neither has a part of the URL in it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Url(Struct, frozen=True, kw_only=True):
    """The parts as they are written, percent-encoded."""

    scheme: str  #: in small letters
    user: str | None
    password: str | None
    hosts: str  #: "host:port", several with commas between; "" where there is none
    path: str  #: with its slash, or ""
    query: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return f"Url({self.shown()})"

    def whole(self) -> str:
        """As it is to be given to a driver: with the secret."""
        return self._joined(self.user, self.password, self.query)

    def shown(self) -> str:
        """As it may be printed."""
        # Redis needs no user: what stands alone there was meant as the password.
        alone = self.password is None and self.scheme in ("redis", "rediss", "unix")
        return self._joined(
            self.user and (HIDDEN if alone else self.user),
            None if self.password is None else HIDDEN,
            [(name, v if _decoded(name).lower() in _HARMLESS else HIDDEN) for name, v in self.query],
        )

    def option(self, name: str) -> str | None:
        """The last value of `?name=…`, decoded."""
        return next((_decoded(value) for each, value in reversed(self.query) if each == name), None)

    def secret(self) -> str | None:
        """The password as it is written, percent-encoded; None when there is none in it."""
        if self.password is not None:
            return self.password
        return next((value for name, value in reversed(self.query) if name == "password"), None)

    def _joined(self, user: str | None, password: str | None, query: Iterable[tuple[str, str]]) -> str:
        access = user or ""
        if password is not None:
            access += f":{password}"
        access += "@" if user is not None or password is not None else ""
        options = "&".join(f"{name}={value}" for name, value in query)
        return f"{self.scheme}://{access}{self.hosts}{self.path}{'?' if options else ''}{options}"


def parse(text: str) -> Url:
    """Take a URL apart. Raises Malformed."""
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise Malformed("there is a space or a control character in it", "write a space as %20")
    if "#" in text:
        raise Malformed("there is a # in it", _ENCODE)
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise Malformed("there is a % without two hexadecimal digits behind it", _ENCODE)
    found = _URL.fullmatch(text)
    if found is None:
        raise Malformed("it does not begin with scheme://", "for example postgresql://user@host/database")
    scheme, place, path, options = found.groups()
    access, at, hosts = place.rpartition("@")
    if "@" in access or ("@" in path and place):
        raise Malformed("there is an @ too many in it", _ENCODE)
    user, colon, password = access.partition(":")
    for host in hosts.split(","):
        _check_host(host)
    return Url(
        scheme=scheme.lower(),
        user=user if at else None,
        password=password if colon else None,
        hosts=hosts,
        path=path,
        query=tuple(_options(options)),
    )


def shown(text: str) -> str:
    """A setting's value as it may be printed; of what cannot be taken apart, hardly anything is left."""
    if not text:
        return ""
    try:
        return parse(text).shown()
    except Malformed:
        found = re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://", text)
        return (found[0] if found else "") + HIDDEN


def encoded(secret: str) -> str:
    """A user or password as it stands in a URL."""
    from urllib.parse import quote  # costs a command more than all else here

    return quote(secret, safe="")


def _decoded(value: str) -> str:
    if "%" not in value:
        return value
    from urllib.parse import unquote

    return unquote(value)


def _check_host(host: str) -> None:
    found = _HOST.fullmatch(host)
    if found is None or (found[2] is not None and not 0 < int(found[2]) < 65_536):
        raise Malformed("what stands behind the host's colon is no port from 1 to 65535", _ENCODE)


def _options(text: str | None) -> list[tuple[str, str]]:
    pairs = []
    for part in (text or "").split("&"):
        name, equals, value = part.partition("=")
        if part and not (name and equals):
            raise Malformed("what stands behind its ? is not name=value, joined by &", _ENCODE)
        if part:
            pairs.append((name, value))
    return pairs
