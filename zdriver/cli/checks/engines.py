"""The engines that are configured: asked by the doctor itself, and what the daemon says of them."""

from __future__ import annotations

from collections.abc import Iterator

from zdriver.cli.checks import Check, fail, ok, warn
from zdriver.cli.checks.asking import ask
from zdriver.cli.enginewords import figures, named, to_go
from zdriver.core import secrets, urls
from zdriver.core.config import Config, value_of
from zdriver.core.engines import PLUGGABLE, EngineHealth, Role, address, configured
from zdriver.core.errors import ZdriverError
from zdriver.daemon.api import DaemonStatus

ROLES: dict[str, Role] = {
    "storage.url": "storage",
    "context.url": "context",
    "archive.url": "archive",
    "events.url": "events",
}
#: Milliseconds before it is worth a word. Of RabbitMQ it is the whole way to a declared exchange.
SLOW: dict[Role, float] = {"storage": 250.0, "archive": 250.0, "events": 2_000.0}
#: Milliseconds between two clocks: times of different machines are shown side by side.
SKEW = 1_000.0

_RESTART = "`zdriver daemon stop`: the next command starts one with the settings of now"


def check_engines(config: Config, daemon: DaemonStatus | None) -> Iterator[Check]:
    """Three parts for each: its secret's file, the engine itself, and what the daemon knows of it.

    daemon  None when it does not run
    """
    said = daemon.engines if daemon else ()
    for setting, role in ROLES.items():
        if configured(setting, config):
            yield from _secret(setting, config)
            yield from _one(setting, role, config)
            if daemon is not None:
                yield from _of_daemon(setting, config, said)
    for setting in dict.fromkeys(each.setting for each in said):
        if setting in ROLES and not configured(setting, config):
            yield warn(setting, "the daemon uses one, and none is set here", _RESTART)


def _secret(setting: str, config: Config) -> Iterator[Check]:
    name = setting.replace(".url", ".password_file")
    file = value_of(config, name)
    if file and secrets.open_to_others(file):
        yield warn(name, f"others can read {file}", f"chmod 600 {file}")


def _one(setting: str, role: Role, config: Config) -> Iterator[Check]:
    try:
        at = address(setting, config, others=setting in PLUGGABLE)
        assert at is not None
        found = ask(at, role, config)
    except ZdriverError as error:
        yield fail(setting, error.message, error.hint)
        return
    if found is None:
        yield ok(setting, f"{at.shown}, of a plugin: only the daemon can say how it is")
        return
    about = ", ".join((f"{named(found)} at {at.shown}", *figures(found)))
    limit = SLOW.get(role, config.context.timeout_ms)
    if found.state != "ok" or (found.latency_ms or 0) > limit:
        yield warn(setting, f"{about}: {found.message or 'it is slow'}", found.hint or "is its machine busy?")
    else:
        yield ok(setting, about)
    if found.skew_ms is not None and abs(found.skew_ms) > SKEW:
        yield warn(setting, f"its clock is {found.skew_ms / 1000:+.1f} s off ours", "let NTP set both")


def _of_daemon(setting: str, config: Config, said: tuple[EngineHealth, ...]) -> Iterator[Check]:
    """What the doctor cannot see: what is still to go there, and that the daemon fails at what we can."""
    ours = [each for each in said if each.setting == setting]
    if not ours:
        yield warn(setting, "the daemon was started without it", _RESTART)
    for each in ours:
        what = f"{each.role}, says the daemon"
        owed = f", {to_go(each)}" if each.lag else ""
        if each.state != "ok":
            why = each.message or "no reason known"
            yield warn(setting, f"{what}: {each.state}{owed}: {why}", each.hint or _RESTART)
        elif each.lag:
            yield ok(setting, what + owed)
        if each.address and _place(each.address) != _place(value_of(config, setting)):
            yield warn(setting, f"the daemon uses another one, {each.address}", _RESTART)


def _place(url: str) -> object:
    """What of a URL says which engine is meant: all but how to get in."""
    try:
        parts = urls.parse(url)
    except urls.Malformed:
        return url
    return parts.hosts, parts.path, parts.option("host"), parts.option("dbname"), parts.option("db")
