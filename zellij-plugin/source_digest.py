"""Prints the digest of the plugin's sources, as zdriver-plugin/build.rs puts it into the wasm."""

from __future__ import annotations

import hashlib
from pathlib import Path


def source_digest(root: Path) -> str:
    """SHA-256, in hex, over path, NUL, length, NUL and content of every source file, sorted by path."""
    digest = hashlib.sha256()
    for name in sorted(_sources(root)):
        content = (root / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources(root: Path) -> list[str]:
    found = []
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        hidden = any(part == "target" or part.startswith(".") for part in relative.parts[:-1])
        wanted = path.suffix == ".rs" or path.name in ("Cargo.toml", "Cargo.lock")
        if wanted and not hidden and path.is_file():
            found.append(relative.as_posix())
    return found


if __name__ == "__main__":
    print(source_digest(Path(__file__).resolve().parent))
