"""A Redis: 25 ms to start, so a test may have its own."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from zdriver.testing.servers.process import Server, program
from zdriver.testing.servers.tls import Authority


class Redis(Server):
    """A redis-server on 127.0.0.1 and on a Unix socket in its folder.

    tls       whose certificate it has; it then speaks only TLS on its port
    aof       whether every write is on the disk before it is answered; without, SIGKILL loses all
    password  of the user `default`; "": none
    """

    name = "redis-server"

    def __init__(
        self, folder: Path, *, tls: Authority | None = None, aof: bool = True, password: str = ""
    ) -> None:
        super().__init__(folder)
        self.tls, self.aof, self.password = tls, aof, password

    @property
    def socket(self) -> Path:
        return self.folder / "r.sock"

    @property
    def _user(self) -> str:
        return f":{quote(self.password, safe='')}@" if self.password else ""

    @property
    def url(self) -> str:
        if self.tls is None:
            return f"redis://{self._user}127.0.0.1:{self.port}/0"
        return f"rediss://{self._user}127.0.0.1:{self.port}/0?ssl_ca_certs={quote(str(self.tls.file))}"

    @property
    def unix_url(self) -> str:
        return f"unix://{self._user}{quote(str(self.socket))}?db=0"

    def command(self) -> Sequence[str]:
        words = [program("redis-server", "redis-server"), "--bind", "127.0.0.1", "--daemonize", "no"]
        words += ["--dir", str(self.folder), "--unixsocket", str(self.socket), "--save", ""]
        words += ["--appendonly", "yes" if self.aof else "no", "--appendfsync", "always"]
        if self.password:
            words += ["--requirepass", self.password]
        if self.tls is None:
            return [*words, "--port", str(self.port)]
        own = self.tls.certificate(self.folder / "tls")
        words += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
        words += ["--tls-cert-file", str(own.certificate), "--tls-key-file", str(own.key)]
        return [*words, "--tls-ca-cert-file", str(self.tls.file)]

    def prepare(self) -> None:
        # Only then is the socket that answers the new server's.
        self.socket.unlink(missing_ok=True)

    def version(self) -> str:
        """ "7.0.15" """
        said = subprocess.run(
            [program("redis-server", "redis-server"), "--version"], capture_output=True, text=True
        )
        return said.stdout.partition("v=")[2].partition(" ")[0]

    def ready(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as asking:
                asking.settimeout(1)
                asking.connect(str(self.socket))
                asking.sendall(b"PING\r\n")
                return asking.recv(64).startswith((b"+PONG", b"-NOAUTH"))  # not -LOADING
        except OSError:
            return False
