"""History in PostgreSQL: what goes there, what was confirmed, and looking it up. docs/engines.md."""
