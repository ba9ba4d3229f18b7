"""A certificate authority of one's own, by openssl(1)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from zdriver.testing.servers.process import ServerFailed, program

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost"


class Certificate(NamedTuple):
    """Files in PEM; the key has mode 600."""

    certificate: Path
    key: Path


class Authority:
    """What clients trust when they are told to (`file`), and servers' certificates signed by it.

    Valid for 127.0.0.1 and localhost, a day long.
    """

    def __init__(self, folder: Path, *, name: str = "Private CA") -> None:
        self.folder, self.name = folder, name
        self.file = folder / "ca.pem"
        self._key = folder / "ca.key"
        folder.mkdir(parents=True, exist_ok=True)
        if not self.file.exists():
            _openssl(
                *("req", "-x509", *_CURVE, "-days", "1", "-subj", f"/CN={name}"),
                *("-keyout", str(self._key), "-out", str(self.file)),
                *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign"),
            )
        # a server that runs as another user reads it, too
        self.file.chmod(0o644)

    def certificate(self, folder: Path) -> Certificate:
        """A server's certificate and key, made in `folder` at the first call."""
        made = Certificate(folder / "server.pem", folder / "server.key")
        if not made.certificate.exists():
            folder.mkdir(parents=True, exist_ok=True)
            request, extensions = folder / "server.csr", folder / "server.ext"
            extensions.write_text(_NAMES + "\n")
            key = ("-keyout", str(made.key), "-out", str(request))
            _openssl("req", "-new", *_CURVE, "-subj", "/CN=localhost", *key)
            _openssl(
                *("x509", "-req", "-days", "1", "-in", str(request), "-out", str(made.certificate)),
                *("-CA", str(self.file), "-CAkey", str(self._key), "-CAcreateserial"),
                *("-extfile", str(extensions)),
            )
            made.key.chmod(0o600)
        return made


def _openssl(*words: str) -> None:
    ran = subprocess.run([program("openssl", "openssl"), *words], capture_output=True, text=True)
    if ran.returncode:
        raise ServerFailed(f"openssl {words[0]} failed: {ran.stderr.strip()}")
