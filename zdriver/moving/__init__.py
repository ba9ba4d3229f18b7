"""A store moves from SQLite to PostgreSQL: copied, compared row by row, the source untouched."""
