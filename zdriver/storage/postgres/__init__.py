"""PostgreSQL: the store of several machines, and what else zdriver keeps there. Imports psycopg."""
