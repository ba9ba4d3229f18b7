"""Which machine this is: rows of several may lie in one store, each touches only its own."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from uuid import UUID, uuid5

from zdriver.core import paths
from zdriver.core.ids import new_id
from zdriver.storage.sqlite.files import make_private, sync_file

_SPACE = UUID("6f1a3b0e-64a5-5c2b-9d0d-7a64726976e5")
_INSTEAD = ", or set XDG_STATE_HOME"
_ID = re.compile(r"[0-9a-f-]{36}")


def host_id() -> str:
    """This machine's id, kept in the state folder. Raises Unavailable when it cannot be written.

    Made from the machine's own id where there is one: a lost state folder costs nothing then.
    """
    file = paths.state_dir() / "host"
    known: str | None = None
    try:
        known = file.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise paths.unwritable(file, error, instead=_INSTEAD) from error
    if known is not None and _ID.fullmatch(known):
        return known
    made = _make()
    fresh = file.with_name(f"host.{new_id()}")
    try:
        make_private(file.parent)
        fresh.write_text(made + "\n", "ascii")
        sync_file(fresh)
        if known is not None:  # what is there is no id: a power cut may have left it empty
            fresh.replace(file)
            return made
        # The first one counts when several processes begin at once.
        try:
            os.link(fresh, file)
        except FileExistsError:
            made = file.read_text("ascii").strip()
    except OSError as error:
        raise paths.unwritable(file, error, instead=_INSTEAD) from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
    return made


def _make() -> str:
    for name in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            machine = Path(name).read_text("ascii").strip()
        except (OSError, ValueError):
            continue
        if re.fullmatch(r"[0-9a-f]{32}", machine):
            # machine-id(5): never show it itself, only what is derived from it.
            return str(uuid5(_SPACE, f"{machine}/{os.getuid()}"))
    return new_id()
