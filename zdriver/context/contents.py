"""What of a snapshot is stored: secrets out, content named by its digest, scrollback in chunks. Pure."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from zdriver.context.layout import Layout, Pane, Plugin, Split, Tab, leaves
from zdriver.core.errors import StoreDamaged
from zdriver.core.redact import redact_argv, redact_text

#: A chunk of scrollback ends behind a line whose CRC is a multiple of this: so the same lines
#: make the same chunks, also when lines above them have scrolled away …
CHUNK_LINES = 64
CHUNK_MAX = 64 << 10  #: … or at this many characters


def pack(content: bytes) -> tuple[str, bytes]:
    """Key (SHA-256 of the content, hex) and the bytes to store."""
    return hashlib.sha256(content).hexdigest(), zlib.compress(content)


def unpack(key: str, data: bytes) -> bytes:
    """Raises StoreDamaged when the data is not what the key names."""
    try:
        content = zlib.decompress(data)
    except zlib.error as error:
        raise StoreDamaged(f"the stored content {key[:8]} is damaged: {error}") from error
    if hashlib.sha256(content).hexdigest() != key:
        raise StoreDamaged(f"the stored content {key[:8]} is not what was written")
    return content


def encode(layout: Layout) -> bytes:
    return msgspec.json.encode(layout, order="deterministic")


def decode(content: bytes) -> Layout:
    """Raises StoreDamaged."""
    try:
        return msgspec.json.decode(content, type=Layout)
    except msgspec.DecodeError as error:
        raise StoreDamaged(f"a stored layout cannot be read: {error}") from error


def each_pane(layout: Layout, change: Callable[[Pane], Pane]) -> Layout:
    """The layout with `change` applied to every pane, plugins too."""

    def node(given: Pane | Split) -> Pane | Split:
        if isinstance(given, Pane):
            return change(given)
        return msgspec.structs.replace(given, children=tuple(node(child) for child in given.children))

    def tab(given: Tab) -> Tab:
        return msgspec.structs.replace(
            given,
            tiled=tuple(node(each) for each in given.tiled),
            floating=tuple(change(pane) for pane in given.floating),
        )

    return msgspec.structs.replace(layout, tabs=tuple(tab(each) for each in layout.tabs))


def redact(layout: Layout) -> Layout:
    """Without secrets in names, argv and plugin settings; a pane with a cut argv says so."""
    clean = each_pane(layout, _redact_pane)
    # Cut text need not be KDL any more, and the swap layouts can be done without.
    return msgspec.structs.replace(clean, tail="") if redact_text(clean.tail)[1] else clean


def _redact_pane(pane: Pane) -> Pane:
    name, renamed = redact_text(pane.name)
    command, cut = redact_argv(pane.command)
    plugin = pane.plugin and _redact_plugin(pane.plugin)
    if not (renamed or cut or plugin is not pane.plugin):
        return pane
    return msgspec.structs.replace(
        pane, name=name, command=command, plugin=plugin, redacted=pane.redacted or cut
    )


def _redact_plugin(plugin: Plugin) -> Plugin:
    clean = {key: redact_text(value)[0] for key, value in plugin.configuration.items()}
    return plugin if clean == plugin.configuration else msgspec.structs.replace(plugin, configuration=clean)


def chunks(text: str) -> list[str]:
    """The text in pieces whose borders depend only on the lines around them."""
    found: list[str] = []
    lines: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        lines.append(line)
        size += len(line)
        if size >= CHUNK_MAX or zlib.crc32(line.encode("utf-8", "surrogatepass")) % CHUNK_LINES == 0:
            found.append("".join(lines))
            lines, size = [], 0
    return [*found, "".join(lines)] if lines else found


class Packed(NamedTuple):
    """A pane's scrollback as it is stored. Its secrets are out already (`scrollback.keep`)."""

    key: str  #: names it; "" when the pane shows nothing
    blobs: dict[str, bytes]


def pack_scrollback(text: str) -> Packed:
    blobs: dict[str, bytes] = {}
    keys = []
    for chunk in chunks(text):
        key, data = pack(chunk.encode("utf-8", "surrogatepass"))
        blobs[key] = data
        keys.append(key)
    key, data = pack(msgspec.json.encode(keys))
    return Packed(key, {**blobs, key: data})


def unpack_scrollback(key: str, blob: Callable[[str], bytes]) -> str:
    """`blob` gives the stored bytes of a key. Raises StoreDamaged."""
    keys = msgspec.json.decode(unpack(key, blob(key)), type=list[str])
    return b"".join(unpack(each, blob(each)) for each in keys).decode("utf-8", "surrogatepass")


#: For each pane of a layout, in the order of `each_pane`: the key of its text, None: not known.
Told = list[str | None]


def with_scrollback(
    layout: Layout, scrollback: Mapping[str, Packed]
) -> tuple[Layout, dict[str, bytes], Told]:
    """Each `Pane.contents` that `scrollback` knows becomes the key of its stored text.

    A pane whose contents are not given has none. Returns the layout, the blobs, and what of
    each pane was given.
    """
    blobs: dict[str, bytes] = {}
    told: Told = []

    def keep(pane: Pane) -> Pane:
        found = scrollback.get(pane.contents) if pane.contents else None
        told.append(None if found is None else found.key)
        key = ""
        if found is not None:
            blobs.update(found.blobs)
            key = found.key
        return pane if pane.contents == key else msgspec.structs.replace(pane, contents=key)

    return each_pane(layout, keep), blobs, told


def retold(layout: Layout, told: Told) -> Layout:
    """`layout`, which has as many panes, with the texts of `told`; what is not known stays."""
    if len(told) != sum(1 for _ in _panes(layout)):
        return layout
    keys = iter(told)

    def change(pane: Pane) -> Pane:
        key = next(keys)
        return pane if key is None or key == pane.contents else msgspec.structs.replace(pane, contents=key)

    return each_pane(layout, change)


def texts(layout: Layout, blob: Callable[[str], bytes]) -> set[str]:
    """Keys of every blob that the layout's panes need for their scrollback. Raises StoreDamaged."""
    keys = {pane.contents for pane in _panes(layout) if pane.contents}
    parts = (msgspec.json.decode(unpack(key, blob(key)), type=list[str]) for key in sorted(keys))
    return keys.union(*parts)


def _panes(layout: Layout) -> Iterator[Pane]:
    for tab in layout.tabs:
        yield from (*leaves(tab.tiled), *tab.floating)
