"""Configuration: `config.toml`, the environment, and defaults for all that is not said.

Every setting is a dotted name, `restore.mode`. In the file it is `mode` in `[restore]`;
in the environment it is `ZDRIVER_` and the name in capitals with `_` for `.`:
`ZDRIVER_RESTORE_MODE=ask`. The environment wins over the file. There, lists are separated
by commas, switches are true or false, and an empty variable counts as not set.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec import inspect as types

from zdriver.core import paths, urls
from zdriver.core.errors import InvalidInput, NotFound
from zdriver.core.tomllines import line_of
from zdriver.core.values import allowed, converted, from_text

PREFIX = "ZDRIVER_"
#: Ends of the names of settings in which a secret may stand.
_SECRET = (".url", ".password_command")
#: What AMQP allows; queues have its name with a few letters more, and amq. is the broker's own.
_EXCHANGE = re.compile(r"(?!amq\.)[A-Za-z0-9_.:-]{1,200}")


class Commands(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[restore.commands]`: programs by name (`npm`) or full path; they go before the built-in lists."""

    run: tuple[str, ...] = ()  #: started again at once
    suspend: tuple[str, ...] = ()  #: shown, and started with Enter
    never: tuple[str, ...] = ()  #: a shell in their place


class Restore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[restore]`: what happens when Zellij is opened again."""

    mode: Literal["auto", "ask", "off"] = "auto"
    max_age_days: Annotated[int, Meta(ge=0, le=36_500)] = 7  #: older ones are offered, never automatic
    commands: Commands = Commands()


class Capture(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[capture]`: what is recorded of panes."""

    enabled: bool = True
    scrollback_lines: Annotated[int, Meta(ge=0, le=100_000)] = 0  #: per pane; 0: none


class Daemon(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[daemon]`"""

    idle_exit: Annotated[int, Meta(ge=0, le=31_536_000)] = 1800  #: seconds; 0: stay
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Storage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[storage]`: where everything is."""

    path: str = ""  #: the SQLite database; "" means `paths.database()`; absolute, or with `~`
    url: str = ""  #: postgresql://…; "": SQLite
    #: In each section: its first line is the password of `url`, which then has none
    password_file: str = ""
    password_command: str = ""  #: prints the password; split into words, run without a shell


class Context(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[context]`: the hot copy of contexts, for other tools and machines."""

    url: str = ""  #: redis://…, rediss://…, unix://…; "": none
    password_file: str = ""
    password_command: str = ""
    timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] = 50  #: that one answer may take
    #: whose contexts are found again on another machine; "": the login name
    user: str = ""


class Archive(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[archive]`: where history goes from a local store."""

    url: str = ""  #: postgresql://…; "": none
    password_file: str = ""
    password_command: str = ""
    interval: Annotated[int, Meta(ge=1, le=31_536_000)] = 86_400  #: seconds from one run to the next
    #: days after which history goes from the local store, once the archive has it; 0: it stays there, too
    keep_days: Annotated[int, Meta(ge=0, le=36_500)] = 0


class EventsOut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[events]`: where events are published."""

    url: str = ""  #: amqp://…, amqps://…; "": nowhere
    password_file: str = ""
    password_command: str = ""
    exchange: str = "bloodbank.events.v1"
    audit: bool = False  #: what is published is kept until the audit has it


class Ports(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[ports]`: what `ports` of a `.zdriver.toml` is leased from. Below those that systems give out."""

    first: Annotated[int, Meta(ge=1024, le=65_535)] = 20_000
    last: Annotated[int, Meta(ge=1024, le=65_535)] = 29_999


class Worktrees(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[worktrees]`: where new ones go, and what their branches are called."""

    #: "": beside a trunk that is called trunk-*, else in ../<repo>.worktrees. {parent} is the folder
    #: the repository lies in, {repo} its name; what is relative begins at {parent}
    path: str = ""
    branch: str = "{type}-{name}"  #: or "{type}/{name}"
    #: Zellij layout of a worktree's tab, by name or whole path; "": zdriver-review for reviews, else
    #: zdriver-agent
    layout: str = ""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    restore: Restore = Restore()
    capture: Capture = Capture()
    daemon: Daemon = Daemon()
    storage: Storage = Storage()
    context: Context = Context()
    archive: Archive = Archive()
    events: EventsOut = EventsOut()
    ports: Ports = Ports()
    worktrees: Worktrees = Worktrees()

    def database(self) -> Path:
        return Path(self.storage.path).expanduser() if self.storage.path else paths.database()


class Setting(Struct, frozen=True, kw_only=True):
    """One effective value and where it comes from."""

    name: str  #: "restore.mode"
    value: Any  #: as it may be printed: secrets are ***
    origin: str  #: "default", the file's path, or "$ZDRIVER_RESTORE_MODE"
    allowed: str  #: in words


class Loaded(Struct, frozen=True, kw_only=True):
    config: Config
    settings: tuple[Setting, ...]
    warnings: tuple[str, ...]  #: variables that look like settings but are none


def load_config() -> Config:
    """The effective configuration. Raises InvalidInput with one line that says what to mend."""
    return _effective(paths.config_file(), os.environ)[0]


def load(file: Path | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read everything; `file` that does not exist is empty, unless $ZDRIVER_CONFIG named it.

    Raises InvalidInput (what is wrong, where, what is allowed) or NotFound.
    """
    environ = os.environ if environ is None else environ
    config, origins = _effective(file or paths.config_file(), environ)
    settings = tuple(
        Setting(
            name=name,
            value=shown(name, value_of(config, name)),
            origin=origins.get(name, "default"),
            allowed=allowed(kind),
        )
        for name, kind in LEAVES.items()
    )
    return Loaded(config=config, settings=settings, warnings=tuple(_strangers(environ)))


def _effective(file: Path, environ: Mapping[str, str]) -> tuple[Config, dict[str, str]]:
    """The values, and by the name of each that is set what set it."""
    values = _from_file(file, named=bool(environ.get("ZDRIVER_CONFIG")))
    origins = dict.fromkeys(values, str(file))
    for name in _set_by(environ):
        variable = variable_of(name)
        values[name] = from_text(LEAVES[name], environ[variable], where=f"${variable}")
        origins[name] = f"${variable}"
    config = _assembled(values)
    if config.storage.path and not config.database().is_absolute():
        # The daemon has no current folder of its own.
        raise InvalidInput(
            f"storage.path is {_path_shown(config.storage.path)} ({origins['storage.path']});"
            " allowed: an absolute path",
            hint="a URL goes into storage.url" if "://" in config.storage.path else "begin it with / or ~/",
        )
    _check_exchange(config, origins)
    _check_templates(config, origins)
    return config, origins


def _set_by(environ: Mapping[str, str]) -> list[str]:
    """The settings that variables of the environment set, in the order of `LEAVES`."""
    ours = {variable for variable in environ if variable.startswith(PREFIX) and environ[variable]}
    return [name for name in LEAVES if variable_of(name) in ours] if ours else []


def parse(text: str, where: str = "config.toml") -> dict[str, Any]:
    """The settings in a file's text by dotted name, each checked. Raises InvalidInput."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{where} is not TOML: {error}", hint=_MEND) from error
    return {name: _checked(name, value, text, where) for name, value in _flat(tree)}


def variable_of(name: str) -> str:
    """`restore.mode` → `ZDRIVER_RESTORE_MODE`"""
    return PREFIX + name.upper().replace(".", "_")


def value_of(config: Config, name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def shown(name: str, value: Any) -> Any:
    """A setting's value as it may be printed."""
    if name.endswith(".url") and isinstance(value, str):
        return urls.shown(value)
    if name.endswith(".password_command") and isinstance(value, str):
        program, _, arguments = value.strip().partition(" ")
        return f"{program} {urls.HIDDEN}" if arguments else program
    return value


def _path_shown(path: str) -> str:
    return repr(urls.shown(path) if "://" in path else path)


# -- inside --------------------------------------------------------------------------------

_MEND = "`zdriver config edit` opens it; `zdriver config show` lists what there is"


def _leaves(kind: types.Type, above: str = "") -> Iterator[tuple[str, types.Type]]:
    if isinstance(kind, types.StructType):
        for field in kind.fields:
            yield from _leaves(field.type, f"{above}.{field.name}" if above else field.name)
    else:
        yield above, kind


#: Every setting by its dotted name.
LEAVES: dict[str, types.Type] = dict(_leaves(types.type_info(Config)))
_TABLES = {name.rpartition(".")[0] for name in LEAVES} | {name.partition(".")[0] for name in LEAVES}


def _from_file(file: Path, *, named: bool) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        if named:
            raise NotFound(f"{file}, named by $ZDRIVER_CONFIG, is not there", hint="unset it") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}", hint="it must be a UTF-8 text file") from error
    return parse(text, str(file))


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{above}.{key}" if above else key
        if isinstance(value, dict) and name in _TABLES:
            yield from _flat(value, name)
        else:
            yield name, value


def _checked(name: str, value: Any, text: str, where: str) -> Any:
    kind = LEAVES.get(name)
    line = line_of(text, name)
    place = f"{where}, line {line}" if line else where
    if kind is None:
        what = "must be a [table]" if name in _TABLES else "is no setting"
        raise InvalidInput(f"{place}: {name} {what}", hint=_near(name))
    try:
        return converted(kind, value)
    except msgspec.ValidationError as error:
        # Whatever stands there, where a secret may stand it is not repeated.
        is_secret = name.endswith(_SECRET)
        text = urls.HIDDEN if is_secret else msgspec.json.encode(value, enc_hook=str).decode()
        raise InvalidInput(f"{place}: {name} is {text}; allowed: {allowed(kind)}", hint=_MEND) from error


def _near(name: str) -> str:
    close = get_close_matches(name, LEAVES, n=1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(LEAVES)}"


def _assembled(values: Mapping[str, Any]) -> Config:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *above, leaf = name.split(".")
        table = tree
        for part in above:
            table = table.setdefault(part, {})
        table[leaf] = value
    return msgspec.convert(tree, Config)


#: Setting → what may stand in braces in it, and what has to.
_TEMPLATES = {"worktrees.path": ({"parent", "repo"}, set()), "worktrees.branch": ({"type", "name"}, {"name"})}


def _check_templates(config: Config, origins: Mapping[str, str]) -> None:
    for name, (fields, needed) in _TEMPLATES.items():
        value = value_of(config, name)
        used = set(re.findall(r"\{([^{}]*)\}", value))
        if used <= fields and needed <= used and not re.search(r"[{}]", re.sub(r"\{\w+\}", "", value)):
            continue
        words = " and ".join(f"{{{field}}}" for field in sorted(fields))
        must = "".join(f", {{{field}}} must be" for field in needed)
        raise InvalidInput(
            f"{name} is {value!r} ({origins[name]}); allowed: a text in which {words} may stand{must}",
            hint=_MEND,
        )


def _check_exchange(config: Config, origins: Mapping[str, str]) -> None:
    name = config.events.exchange
    if not _EXCHANGE.fullmatch(name):
        raise InvalidInput(
            f"events.exchange is {name!r} ({origins['events.exchange']}); allowed: up to 200 letters, digits"
            " and . _ : -, not beginning with amq.",
            hint=_MEND,
        )


def _strangers(environ: Mapping[str, str]) -> Iterator[str]:
    known = {variable_of(name) for name in LEAVES}
    sections = tuple(f"{variable_of(name)}_" for name in {n.partition(".")[0] for n in LEAVES})
    for variable in sorted(environ):
        if variable.startswith(sections) and variable not in known:
            close = get_close_matches(variable, known, n=1)
            yield f"${variable} is no setting" + (f"; did you mean ${close[0]}?" if close else "")
