"""`make faults`: what is killed, and what is there afterwards.

Two daemons with homes of their own stand for two hosts. They share one PostgreSQL, one Redis and one
RabbitMQ, each behind a proxy. Clients change things over the daemons' public sockets while one thing
after the other goes wrong; then everything they were told is done is looked for, by plain psycopg, pika
and redis-py, which know nothing of zdriver's own reading.
"""
