"""Was the write-ahead log damaged? SQLite itself drops what it cannot read without a word.

Format: https://sqlite.org/fileformat2.html#the_write_ahead_log. A crash leaves harmless things at
the end of a log: a torn last transaction, frames of an earlier round (their first salt is a
little smaller), zeros. Anything else beyond the last frame that SQLite took is damage.
"""

from __future__ import annotations

import struct

HEADER = 32  #: bytes
FRAME = 24  #: bytes before each page
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}  #: byte order of the checksums
_ROUNDS = 1 << 20  #: so many earlier rounds are believed


def header_is_damaged(log: bytes) -> bool:
    """True when a whole header is there and SQLite would throw all of the log away for it."""
    if len(log) < HEADER or not any(log[:HEADER]):
        return False
    magic = struct.unpack_from(">I", log)[0]
    if magic not in _MAGIC:
        return True
    words = struct.unpack_from(f"{_MAGIC[magic]}6I", log)
    one = two = 0
    for i in range(0, 6, 2):
        one = (one + words[i] + two) & 0xFFFFFFFF
        two = (two + words[i + 1] + one) & 0xFFFFFFFF
    return (one, two) != struct.unpack_from(">2I", log, 24)


def lost_commits(log: bytes, taken: int) -> bool:
    """Whether frames that were committed lie behind the `taken` first ones, unreadable to SQLite."""
    if len(log) < HEADER:
        return False
    page, _, salt1, salt2 = struct.unpack_from(">4I", log, 8)
    if page < 512:
        return False
    commits, strange = 0, False
    for at in range(HEADER + taken * (FRAME + page), len(log) - FRAME - page + 1, FRAME + page):
        _, size, one, two = struct.unpack_from(">4I", log, at)
        if (one, two) == (salt1, salt2):
            commits += size != 0
        else:
            earlier = (salt1 - one) & 0xFFFFFFFF <= _ROUNDS
            strange = strange or (bool(one or two) and not earlier)
    # One commit behind a torn frame: power was cut while it was written, nobody was told it
    # was saved. A second one was begun only after the first was on the disk.
    return strange or commits > 1
