"""Reading what the earlier zellij-driver ("Perth", `zdrive`) keeps in Redis. Nothing there is changed.

Its keys, from its sources (`state.rs`, `types.rs`): HASH `znav:pane:<name>`, after its own migration also
`perth:pane:<name>` (`session`, `tab`, `pane_id`, `created_at`, `last_seen`, `last_accessed`, `stale`,
`last_intent`, `last_intent_at`, `meta:*`, of which `meta:cwd` is the folder); LIST
`perth:pane:<name>:history`, newest first, of JSON `IntentEntry`; HASH `perth:tab:<session>:<tab>`; text
`perth:snapshots:<session>:<name>`, JSON `SessionSnapshot`. Times are RFC 3339.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from zdriver.core import urls
from zdriver.core.engines import Address
from zdriver.core.errors import InvalidInput
from zdriver.importing.model import Unread

if TYPE_CHECKING:
    import redis

T = TypeVar("T")

#: Seconds that one answer may take.
TIMEOUT = 10.0
#: Entries of one pane that are read; zellij-driver keeps 100.
HISTORY_MAX = 1000
#: Bytes of one value that are read.
VALUE_MAX = 1 << 20
KEYS_AT_ONCE = 500
_PANES = ("znav:pane:", "perth:pane:")
_HISTORY = ":history"
_TAB = "perth:tab:"
_SNAPSHOT = "perth:snapshots:"
_SCHEMES = ("redis", "rediss", "unix")


class Entry(msgspec.Struct, kw_only=True):
    """A line of a pane's history."""

    id: str
    timestamp: str
    summary: str
    entry_type: str = "checkpoint"
    artifacts: list[str] = []
    goal_delta: str | None = None
    source: str = "manual"


class Pane(msgspec.Struct, kw_only=True):
    name: str
    session: str = ""
    tab: str = ""
    cwd: str = ""
    last_intent: str = ""
    last_intent_at: str = ""
    entries: list[Entry] = []  #: newest first


class PaneShown(msgspec.Struct, kw_only=True):
    name: str = ""
    position: int = 0
    cwd: str | None = None
    command: str | None = None
    focused: bool = False


class TabShown(msgspec.Struct, kw_only=True):
    name: str = ""
    index: int = 0
    active: bool = False
    layout: str = ""
    panes: list[PaneShown] = []


class Shown(msgspec.Struct, kw_only=True):
    """A snapshot of a Zellij session."""

    name: str
    session: str
    created_at: str
    tabs: list[TabShown] = []


class Found(msgspec.Struct):
    panes: list[Pane] = []
    snapshots: list[Shown] = []
    unread: list[Unread] = []


def read(url: str) -> Found:
    """Raises InvalidInput for what is no URL, Unavailable where Redis does not answer."""
    address = _address(url)
    import redis  # only here: it is imported by nobody who does not use it

    from zdriver.hot.telling import told

    try:
        with redis.Redis.from_url(
            address.url, protocol=2, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
        ) as client:
            return _read(client)
    except (redis.RedisError, OSError, ValueError, TypeError) as error:
        raise told(error, address) from None


def shown(url: str) -> str:
    """As it may be printed."""
    return urls.shown(url)


def _address(url: str) -> Address:
    try:
        parts = urls.parse(url)
    except urls.Malformed as error:
        raise InvalidInput(f"the URL is none: {error}", hint="for example redis://localhost:6379/0") from None
    if parts.scheme not in _SCHEMES:
        raise InvalidInput(
            f"the URL begins with {parts.scheme}://", hint=f"allowed: {', '.join(_SCHEMES)}, each with ://"
        )
    return Address(setting="URL", scheme=parts.scheme, url=url)


def _read(client: redis.Redis) -> Found:
    found = Found()
    panes: dict[str, Pane] = {}
    for key in _keys(client):
        text = key.decode("utf-8", "replace")
        if text.startswith(_SNAPSHOT):
            shown = _value(client, key, found, _snapshot)
            found.snapshots += [shown] if shown is not None else []
        elif text.startswith(_TAB):
            continue  # correlation ids of tabs; nothing of a context
        elif text.endswith(_HISTORY) and _type(client, key) == b"list":
            name = _name(text.removesuffix(_HISTORY))
            panes.setdefault(name, Pane(name=name)).entries = list(_history(client, key, found))
        else:
            _take_pane(client, key, panes, found)
    found.panes = [panes[name] for name in sorted(panes)]
    return found


def _keys(client: redis.Redis) -> Iterator[bytes]:
    """Each once, in order; SCAN may give one twice."""
    patterns = (*(f"{prefix}*" for prefix in _PANES), f"{_TAB}*", f"{_SNAPSHOT}*")
    seen: set[bytes] = set()
    for pattern in patterns:
        seen.update(client.scan_iter(match=pattern, count=KEYS_AT_ONCE))
    yield from sorted(seen)


def _name(key: str) -> str:
    return key.removeprefix(_PANES[0]).removeprefix(_PANES[1])


def _type(client: redis.Redis, key: bytes) -> bytes:
    kind: Any = client.type(key)
    return bytes(kind)


def _take_pane(client: redis.Redis, key: bytes, panes: dict[str, Pane], found: Found) -> None:
    """`perth:` wins over `znav:`, from which it was copied: it comes first in the order of keys."""
    text = key.decode("utf-8", "replace")
    if _type(client, key) != b"hash":
        found.unread.append(Unread(what=text, reason="it is no hash"))
        return
    fields: Any = client.hgetall(key)
    values = {name.decode("utf-8", "replace"): value for name, value in fields.items()}

    def value(name: str) -> str:
        raw: bytes = values.get(name, b"")
        return raw[:VALUE_MAX].decode("utf-8", "replace")

    pane = panes.setdefault(_name(text), Pane(name=_name(text)))
    pane.session = pane.session or value("session")
    pane.tab = pane.tab or value("tab")
    pane.cwd = pane.cwd or value("meta:cwd")
    if value("last_intent_at") > pane.last_intent_at:
        pane.last_intent, pane.last_intent_at = value("last_intent"), value("last_intent_at")


def _history(client: redis.Redis, key: bytes, found: Found) -> Iterable[Entry]:
    lines: Any = client.lrange(key, 0, HISTORY_MAX - 1)
    for number, line in enumerate(lines):
        try:
            yield _decoded(line, Entry)
        except ValueError as error:
            where = f"{key.decode('utf-8', 'replace')}, line {number + 1}"
            found.unread.append(Unread(what=where, reason=str(error)))


def _snapshot(data: bytes) -> Shown:
    return _decoded(data, Shown)


def _value(client: redis.Redis, key: bytes, found: Found, parse: Callable[[bytes], T]) -> T | None:
    try:
        if _type(client, key) != b"string":
            raise ValueError("it is no text")
        data: Any = client.getrange(key, 0, VALUE_MAX)
        return parse(data)
    except ValueError as error:
        found.unread.append(Unread(what=key.decode("utf-8", "replace"), reason=str(error)))
        return None


def _decoded(data: bytes, kind: type[T]) -> T:
    """Raises ValueError (msgspec's errors are)."""
    if len(data) > VALUE_MAX:
        raise ValueError("it is too large")
    return msgspec.json.decode(data, type=kind)
