"""Putting zdriver into Zellij and taking it out: first a plan as values, then the writing.

Nothing here prints or asks. Every file is read when the plan is made and replaced only
if it still holds the same; `carry_out` makes the plan anew when something changed meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from zdriver.core import paths
from zdriver.core.errors import Conflict, NotFound, Unavailable
from zdriver.zellij import configfile, dirs, files, permissions
from zdriver.zellij.configfile import Wanted
from zdriver.zellij.kdledit import first
from zdriver.zellij.kdlscan import scan
from zdriver.zellij.keybinds import default_mode

LAYOUTS = ("zdriver", "zdriver-agent", "zdriver-review")
LAYOUT_HEAD = "// A layout of zdriver. `zdriver setup` renews it while it is unchanged: "

Kind = Literal["config", "permissions", "plugin", "layout", "shell"]


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """The files in question."""

    config: Path
    permissions: Path
    wasm: Path  #: where the plugin goes
    command: Path  #: the `zdriver` program that the plugin shall run

    def wanted(self) -> Wanted:
        return Wanted(wasm=str(self.wasm), command=str(self.command))


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One file and what becomes of it."""

    kind: Kind
    path: Path
    before: bytes | None  #: None: there is none
    after: bytes | None  #: None: it goes away
    blocked: str = ""  #: why it cannot be written

    @property
    def action(self) -> str:
        if self.before == self.after:
            return "unchanged"
        return "create" if self.before is None else "remove" if self.after is None else "change"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()  #: what the user should know, a line each

    def open(self) -> list[Change]:
        """Those that are to be done and can be."""
        return [c for c in self.changes if c.action != "unchanged" and not c.blocked]

    def blocked(self) -> list[Change]:
        return [c for c in self.changes if c.action != "unchanged" and c.blocked]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    plan: Plan
    backup: Path | None = None


def where(command: Path) -> Where:
    return Where(
        config=dirs.config_file(),
        permissions=dirs.permissions_file(),
        wasm=paths.plugin_wasm().absolute(),
        command=command,
    )


def plan_install(at: Where) -> Plan:
    """Raises NotFound when this zdriver was built without its plugin, InvalidInput for unreadable files."""
    config, notes = _config_change(at, lambda text: configfile.install(text, at.wanted()))
    layouts, layout_notes = _layout_changes(at, install=True)
    return Plan(
        changes=(_plugin_change(at), _permissions_change(at), *layouts, config),
        notes=(*notes, *layout_notes),
    )


def plan_undo(at: Where) -> Plan:
    """Raises InvalidInput for files that cannot be read."""
    config, notes = _config_change(at, configfile.remove)
    if config.after is not None and not config.after.strip():
        config = msgspec.structs.replace(config, after=None)  # it held nothing else
    layouts, layout_notes = _layout_changes(at, install=False)
    wasm = Change(kind="plugin", path=at.wasm, before=files.read_bytes(at.wasm), after=None)
    if config.blocked and config.action != "unchanged":
        # While Zellij still loads it, the plugin can say what is wrong.
        wasm = msgspec.structs.replace(wasm, after=wasm.before)
    return Plan(
        changes=(config, _revoke_change(at), *layouts, wasm),
        notes=(*notes, *layout_notes, *_default_layout_note(config)),
    )


def carry_out(make: Callable[[], Plan], stamp: datetime) -> Done:
    """Do what `make` plans; `stamp` names the backup of config.kdl.

    Raises Conflict when a file keeps changing, Unavailable or StorageFull when one cannot be written.
    """
    backup: Path | None = None
    for attempt in range(5):
        plan = make()
        try:
            for change in plan.open():
                if change.kind == "config" and change.before is not None:
                    backup = _backed_up(change, stamp)
                _write(change)
            return Done(plan=plan, backup=backup)
        except Conflict:
            if attempt == 4:
                raise
    raise AssertionError("not reached")


def snippet(at: Where) -> str:
    """The lines for config.kdl, to put in by hand."""
    return configfile.snippet(at.wanted(), _mode(files.read_text(at.config) or ""))


def layout_dir(at: Where) -> Path:
    """Zellij's folder of layouts: the `layout_dir` of its configuration, else beside it."""
    node = first(scan(files.read_text(at.config) or ""), "layout_dir")
    named = node.arguments[0] if node and node.arguments else ""
    return Path(named).expanduser() if named else dirs.config_dir() / "layouts"


def layout_text(name: str) -> str:
    """A layout as it is installed, with the line that tells whether it was changed since."""
    body = _data("layouts", f"{name}.kdl").read_text("utf-8")
    return f"{LAYOUT_HEAD}{_digest(body)}\n{body}"


def is_pristine(layout: str) -> bool:
    """Whether an installed layout is ours and nobody edited it."""
    head, _, body = layout.partition("\n")
    return head == LAYOUT_HEAD + _digest(body)


def plugin_bytes() -> bytes:
    """The plugin that this zdriver brings along. Raises NotFound."""
    try:
        return _data("zdriver.wasm").read_bytes()
    except FileNotFoundError as error:
        raise NotFound(
            "this zdriver was built without its Zellij plugin", hint="`make plugin` builds it"
        ) from error


# -- inside --------------------------------------------------------------------------------


def _data(*parts: str) -> Path:
    """A file of the package; in a checkout the layouts lie at the top, their one source."""
    package = Path(__file__).resolve().parent.parent
    installed = package.joinpath("data", *parts)
    return installed if installed.exists() else package.parent.joinpath(*parts)


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _mode(config: str) -> str:
    return default_mode(scan(config))


def _config_change(at: Where, edit: Callable[[str], configfile.Edited]) -> tuple[Change, tuple[str, ...]]:
    before = files.read_bytes(at.config)
    edited = edit(files.read_text(at.config) or "")
    after = edited.text.encode() if edited.text or before is not None else None
    change = _checked(Change(kind="config", path=at.config, before=before, after=after))
    return change, edited.skipped


def _default_layout_note(config: Change) -> tuple[str, ...]:
    """A word about a `default_layout` that goes away: Zellij would not start with it."""
    name = default_layout(config)
    if name not in LAYOUTS:
        return ()
    return (f"{config.path} still has `default_layout {name}`, which goes: take that line out",)


def default_layout(config: Change) -> str:
    """The layout that config.kdl will name as the default; "" when it leaves that to Zellij."""
    node = first(scan((config.after or b"").decode()), "default_layout")
    return str(node.arguments[0]) if node is not None and node.arguments else ""


def _plugin_change(at: Where) -> Change:
    return _checked(
        Change(kind="plugin", path=at.wasm, before=files.read_bytes(at.wasm), after=plugin_bytes())
    )


def _permissions_change(at: Where) -> Change:
    before = files.read_bytes(at.permissions)
    names = tuple(permission.name for permission in permissions.needed())
    after = permissions.grant((before or b"").decode(errors="replace"), str(at.wasm), names)
    return _checked(Change(kind="permissions", path=at.permissions, before=before, after=after.encode()))


def _revoke_change(at: Where) -> Change:
    before = files.read_bytes(at.permissions)
    text = (before or b"").decode(errors="replace")
    after = before
    if permissions.granted(text, str(at.wasm)):
        after = permissions.revoke(text, str(at.wasm)).encode() or None
    return _checked(Change(kind="permissions", path=at.permissions, before=before, after=after))


def _layout_changes(at: Where, *, install: bool) -> tuple[list[Change], tuple[str, ...]]:
    changes, notes = [], []
    for name in LAYOUTS:
        path = layout_dir(at) / f"{name}.kdl"
        before = files.read_bytes(path)
        if before is not None and not is_pristine(before.decode(errors="replace")):
            notes.append(f"{path} is your own: left as it is")
            continue
        after = layout_text(name).encode() if install else None
        changes.append(_checked(Change(kind="layout", path=path, before=before, after=after)))
    return changes, tuple(notes)


def _checked(change: Change) -> Change:
    if change.action == "unchanged" or files.is_writable(change.path):
        return change
    return msgspec.structs.replace(change, blocked="it is read-only, or its folder is")


def _backed_up(change: Change, stamp: datetime) -> Path:
    """A copy beside the file as the user names it, not beside what a link points to."""
    name = f"{change.path.name}.zdriver-backup-{stamp:%Y%m%dT%H%M%SZ}"
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        backup = change.path.with_name(name + suffix)
        if not backup.exists():
            break
    files.replace(backup, change.before or b"", expected=None)
    return backup


def _write(change: Change) -> None:
    if change.after is not None:
        files.replace(change.path, change.after, expected=change.before)
    elif change.path.is_symlink():
        files.replace(
            change.path, b"", expected=change.before
        )  # the link is the user's: only its file is emptied
    elif files.read_bytes(change.path) != change.before:
        raise Conflict(f"{change.path} changed meanwhile", hint="try again")
    else:
        _unlink(change.path)


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"{path} cannot be removed: {error.strerror}", hint="remove it by hand") from error
