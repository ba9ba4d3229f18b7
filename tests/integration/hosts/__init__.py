"""Several machines on one PostgreSQL."""
