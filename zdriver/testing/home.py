"""A throw-away home: every folder that Zellij and zdriver use, and nothing of the user's."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

from zdriver.testing import processes
from zdriver.testing.waiting import until
from zdriver.zellij import permissions

_CONFIG = """\
show_startup_tips false
simplified_ui true
show_release_notes false
default_shell {shell}
"""

_LOAD = """\
load_plugins {
    zdriver
}
"""

_PLUGIN = """\
plugins {{
    zdriver location={location} {{
        command {command}
    }}
}}
keybinds {{
    shared_except "locked" {{
        bind "Alt m" {{ MessagePlugin "zdriver" {{ name "menu"; }}; }}
    }}
}}
"""


class Home:
    """`path` and `env`; a context manager that ends what still runs in it and removes it.

    What runs in it is known by its environment's HOME, so nothing else is ever ended.
    """

    def __init__(self, *, zellij: str = "zellij", shell: str = "/bin/bash") -> None:
        # Sockets lie in it, and their paths are at most 103 bytes: a short name, in a short place.
        self.path = Path(tempfile.mkdtemp(prefix="zd", dir="/tmp"))
        self.shell = shell
        self.zellij = shutil.which(zellij) or zellij
        self.env = self._environment()
        for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR"):
            Path(self.env[name]).mkdir(parents=True, mode=0o700)
        (self.path / ".bashrc").write_text("PS1='\\w $ '\n")

    def _environment(self) -> dict[str, str]:
        here = str(self.path)
        # The zdriver of this interpreter comes first: the shells and the plugin find that one.
        first = [str(Path(sys.executable).parent), str(Path(self.zellij).parent)]
        return {
            "HOME": here,
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join([*first, os.environ.get("PATH", os.defpath)]),
            "SHELL": self.shell,
            "TERM": "xterm-256color",
            "TMPDIR": f"{here}/tmp",
            "USER": os.environ.get("USER", "me"),
            "XDG_CACHE_HOME": f"{here}/.cache",
            "XDG_CONFIG_HOME": f"{here}/.config",
            "XDG_DATA_HOME": f"{here}/.local/share",
            "XDG_RUNTIME_DIR": f"{here}/run",
            "XDG_STATE_HOME": f"{here}/.local/state",
            # git asks nobody, and knows who commits
            "GIT_CONFIG_GLOBAL": f"{here}/.gitconfig",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
        }

    # -- Zellij's files ------------------------------------------------------------------------

    @property
    def config(self) -> Path:
        return self.path / ".config" / "zellij" / "config.kdl"

    @property
    def plugin(self) -> Path:
        """Where zdriver's plugin lies: Zellij grants permissions per path."""
        return self.path / ".local" / "share" / "zdriver" / "zdriver.wasm"

    @property
    def permissions(self) -> Path:
        """What Zellij's plugins were granted."""
        return self.path / ".cache" / "zellij" / "permissions.kdl"

    @property
    def zellij_log(self) -> Path:
        return self.path / "tmp" / f"zellij-{os.getuid()}" / "zellij-log" / "zellij.log"

    @property
    def daemon_log(self) -> Path:
        return self.path / ".local" / "state" / "zdriver" / "daemon.log"

    @property
    def database(self) -> Path:
        return self.path / ".local" / "share" / "zdriver" / "zdriver.db"

    def write_config(
        self, extra: str = "", *, plugin: bool = True, load: bool = True, granted: bool = True
    ) -> None:
        """A quiet config.kdl, with zdriver's plugin (and its permissions) or without.

        extra    KDL put in front
        load     whether Zellij loads the plugin; without, it only knows where it is
        granted  whether its permissions are there; without, Zellij asks

        What `zdriver setup zellij` does has tests of its own.
        """
        text = extra + "\n" + _CONFIG.format(shell=_quoted(self.shell))
        if plugin:
            command = str(Path(sys.executable).with_name("zdriver"))
            text += _PLUGIN.format(location=_quoted(f"file:{self.plugin}"), command=_quoted(command))
            text += _LOAD if load else ""
            self.install_plugin()
        if plugin and granted:
            self.grant()
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text)

    def install_plugin(self) -> None:
        self.plugin.parent.mkdir(parents=True, exist_ok=True)
        source = resources.files("zdriver") / "data" / "zdriver.wasm"
        self.plugin.write_bytes(source.read_bytes())

    def grant(self) -> None:
        """What a user does by pressing y in Zellij's prompt."""
        file = self.permissions
        file.parent.mkdir(parents=True, exist_ok=True)
        names = tuple(permission.name for permission in permissions.needed())
        file.write_text(permissions.grant("", str(self.plugin), names))

    # -- its end -------------------------------------------------------------------------------

    def running(self) -> list[int]:
        """All processes that were started in this home."""
        here = str(self.path)
        return [pid for pid in processes.pids() if processes.environ(pid).get("HOME") == here]

    def stop(self) -> None:
        """End everything in it by pid; a process may start another while we look, so look again."""

        def none_left() -> bool:
            left = [pid for pid in self.running() if processes.alive(pid)]
            for pid in left:
                processes.kill(pid)
            return not left

        until(none_left, what="the processes of this home to end", deadline=60)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def _quoted(text: str) -> str:
    """A KDL string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
