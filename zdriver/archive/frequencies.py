"""How often words are said, as PostgreSQL's own statistics know it: decides how a search is asked.

A GIN index finds rare words among frequent ones without reading the frequent ones, but not the
*beginning* of a word: for that it reads all that begin so. Where the beginning is more frequent than
another word of the query, only that other one is looked up, and each row found is then looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from zdriver.storage.postgres.connection import Connection

_MOST_COMMON = """
SELECT most_common_elems::text::text[] AS words, most_common_elem_freqs AS shares
FROM pg_stats
WHERE schemaname = current_schema() AND tablename = 'archive_entries' AND attname = 'words'
"""


class Frequencies(msgspec.Struct, frozen=True):
    """Word → share of the entries that have it (0 to 1), of the most frequent ones."""

    shares: Mapping[str, float] = {}

    def beginning_is_last(self, words: Sequence[str]) -> bool:
        """Whether the last of these words, of which it is the beginning, is to be looked at row by row."""
        *others, beginning = words
        if not others:
            return False
        begins = sum(share for word, share in self.shares.items() if word.startswith(beginning))
        return begins > min(self.shares.get(word, 0.0) for word in others)


def read(connection: Connection) -> Frequencies:
    """Raises psycopg.Error. Empty where nothing was analysed yet."""
    row = connection.execute(_MOST_COMMON).fetchone()
    if row is None or row["words"] is None:
        return Frequencies()
    # Behind a share for each word stand the least, the greatest, and that of NULL.
    return Frequencies(dict(zip(row["words"], row["shares"], strict=False)))
