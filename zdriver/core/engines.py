"""The engines that zdriver can work with: where they are, and how they are.

An engine is used when a setting names it: `storage.url`, `context.url`, `archive.url`,
`events.url`. Nothing here imports a driver. docs/engines.md is the page for users.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from zdriver.core import secrets, urls
from zdriver.core.errors import Unavailable

if TYPE_CHECKING:
    from zdriver.core.config import Config

Role = Literal["storage", "context", "archive", "events", "audit", "tasks"]

#: Engine → as its makers write it.
TITLES = {"postgresql": "PostgreSQL", "redis": "Redis", "rabbitmq": "RabbitMQ"}
#: Setting → the schemes that are built in.
SCHEMES: dict[str, tuple[str, ...]] = {
    "storage.url": ("postgresql",),
    "context.url": ("redis", "rediss", "unix"),
    "archive.url": ("postgresql",),
    "events.url": ("amqp", "amqps"),
}
#: Settings whose schemes plugins may add to.
PLUGGABLE = ("storage.url", "context.url", "events.url")
_SAME = {"postgres": "postgresql"}
_NEEDS_HOST = ("redis", "rediss", "amqp", "amqps")
_SHOW = "`zdriver config show` says where it is set; docs/engines.md has examples"


class Address(Struct, frozen=True, kw_only=True):
    """Where an engine is. Its repr has no secret in it."""

    setting: str  #: "storage.url"
    scheme: str  #: "postgresql", "redis", "rediss", "unix", "amqp", "amqps", or a plugin's
    url: str  #: for the driver: with the secret. Never print it

    @property
    def shown(self) -> str:
        """The URL with *** for its secrets."""
        return urls.shown(self.url)

    def option(self, name: str) -> str | None:
        """The value of `?name=…`, decoded."""
        return urls.parse(self.url).option(name)

    def without(self, *names: str) -> str:
        """The URL, with its secret, without these options: for drivers that do not know them."""
        parts = urls.parse(self.url)
        kept = tuple(pair for pair in parts.query if pair[0] not in names)
        return replace(parts, query=kept).whole()

    def __repr__(self) -> str:
        return f"Address(setting={self.setting!r}, url={self.shown!r})"


class EngineHealth(Struct, frozen=True, kw_only=True):
    """How an engine is, as the component that talks to it knows without asking."""

    engine: str  #: "postgresql", "redis", "rabbitmq", or a plugin's name
    role: Role
    setting: str  #: that names it
    address: str  #: `Address.shown`
    state: Literal["ok", "down", "slow"]
    message: str = ""  #: what is wrong, one line; "" when all is well
    hint: str = ""  #: what to do
    version: str = ""  #: of the server
    latency_ms: float | None = None  #: of the newest answer
    lag: int | None = None  #: rows, keys or events that are still to go there
    skew_ms: float | None = None  #: its clock less ours
    since: datetime | None = None  #: in this state


def configured(setting: str, config: Config) -> bool:
    """Whether anything is set for the engine, rightly or not."""
    values = getattr(config, setting.partition(".")[0])
    return bool(values.url or values.password_file or values.password_command)


def plugged(setting: str, config: Config) -> str:
    """The scheme in `setting` that a plugin may know; "" for a built-in one, and for what is no URL."""
    try:
        scheme = urls.parse(getattr(config, setting.partition(".")[0]).url).scheme
    except urls.Malformed:
        return ""
    return "" if _SAME.get(scheme, scheme) in SCHEMES[setting] else scheme


def address(setting: str, config: Config, *, others: bool = False) -> Address | None:
    """The address in `setting` ("storage.url"), with its secret; None where nothing is set.

    others  schemes that are not built in are let through: a plugin may know them

    Raises Unavailable, one line naming setting and cause, for a URL that is malformed or of an
    unknown scheme, and for a secret that cannot be had. Runs `password_command`: up to 10 s.
    """
    section, _, leaf = setting.partition(".")
    values = getattr(config, section)
    text = getattr(values, leaf)
    if not text:
        for name in ("password_file", "password_command"):
            if getattr(values, name):
                raise Unavailable(f"{section}.{name} is set, and {setting} is not", hint=f"set {setting}")
        return None
    parts = _checked(setting, text, others=others)
    found = secrets.found(
        section, file=values.password_file, command=values.password_command, in_url=parts.secret() is not None
    )
    if found is not None:
        # RabbitMQ's own default, as a password alone is no login there.
        user = parts.user or ("guest" if parts.scheme in ("amqp", "amqps") else "")
        parts = replace(parts, user=user, password=urls.encoded(found))
    return Address(setting=setting, scheme=parts.scheme, url=parts.whole())


def _checked(setting: str, text: str, *, others: bool) -> urls.Url:
    try:
        parts = urls.parse(text)
    except urls.Malformed as error:
        raise Unavailable(f"{setting} is no URL: {error}", hint=error.hint or _SHOW) from None
    scheme = _SAME.get(parts.scheme, parts.scheme)
    if scheme not in SCHEMES[setting] and not others:
        raise unknown_scheme(setting, scheme)
    if scheme in _NEEDS_HOST and not parts.hosts.partition(":")[0]:
        raise Unavailable(f"{setting} names no host", hint=f"for example {scheme}://localhost")
    if scheme in SCHEMES["context.url"] and not _database(parts):
        # The driver takes what is no number for 0.
        raise Unavailable(
            f"{setting} names no database by its number", hint=f"for example {scheme}://localhost/0"
        )
    if scheme == "unix" and (parts.hosts or not parts.path.strip("/")):
        raise Unavailable(f"{setting} names no socket", hint="for example unix:///run/redis/redis.sock")
    return replace(parts, scheme=scheme)


def _database(redis: urls.Url) -> bool:
    """Whether Redis's database is a number, or left out."""
    named = redis.option("db") or "0", (redis.path[1:] if redis.scheme != "unix" else "") or "0"
    return all(re.fullmatch(r"[0-9]{1,5}", each) for each in named)


def unknown_scheme(setting: str, scheme: str) -> Unavailable:
    """The error for a URL that nobody feels responsible for."""
    known = ", ".join(f"{each}://" for each in SCHEMES[setting])
    return Unavailable(
        f"{setting} begins with {scheme}://, which zdriver does not know", hint=f"allowed: {known}"
    )
