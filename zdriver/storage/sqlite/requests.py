"""Which requests are asked for the first time, known without a look into the table.

Nearly all are, and a look for each would be every sixth statement of the writer. A client names its
request by a new id (`core/ids.py`), which is greater than all before it: one that is greater than any key
the table had when it was opened can only have been kept since, by this process.
"""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from zdriver.core.ids import new_id

#: Keys remembered; then the older half is forgotten, and looked up again.
MOST = 20_000
_LENGTH, _VERSION = 36, 14  #: of a UUID as text, and where its version stands
_NONE = "g"  #: greater than any
_GREATEST = """
SELECT key FROM requests WHERE length(key) = 36 AND substr(key, 15, 1) = '7' ORDER BY key DESC LIMIT 1
"""


class Requests:
    """Of one opening of the store; for the writer's thread alone."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._since = new_id()
        self._kept: set[str] = set()
        try:
            for (last,) in connection.execute(_GREATEST):
                self._since = max(self._since, last)
        except apsw.Error:  # who looks into the table will meet it, and have it mended
            self._since = _NONE

    def is_new(self, key: str) -> bool:
        """That nobody asked with it before; False: perhaps somebody did."""
        return len(key) == _LENGTH and key[_VERSION] == "7" and key > self._since and key not in self._kept

    def add(self, keys: Iterable[str]) -> None:
        """They are kept, or may be."""
        self._kept.update(keys)
        if len(self._kept) > MOST:
            ordered = sorted(self._kept)
            self._since = max(self._since, ordered[len(ordered) // 2])
            self._kept = {key for key in ordered if key > self._since}
