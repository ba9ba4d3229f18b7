"""Real servers, private and unprivileged, for tests: Redis, PostgreSQL, RabbitMQ; and a bad network.

    with PostgreSql(folder) as server:
        url = server.database("first")
        server.kill()      # SIGKILL
        server.start()     # on the same port, with the same data

Each lives in the folder it is given, listens on 127.0.0.1 only, and ends with the process that started
it, however that ends. The programs are Debian's (redis-server, postgresql, rabbitmq-server); `Missing`
says what to install. The folder's path is to be short (sockets lie in it) and, for PostgreSQL started by
root, one that everybody may enter: `scratch()` makes such a folder.
"""

from zdriver.testing.servers.postgresql import PostgreSql
from zdriver.testing.servers.process import Missing, Server, ServerFailed, scratch
from zdriver.testing.servers.proxy import Proxy
from zdriver.testing.servers.rabbitmq import RabbitMq
from zdriver.testing.servers.redis import Redis
from zdriver.testing.servers.tls import Authority, Certificate

__all__ = [
    "Authority",
    "Certificate",
    "Missing",
    "PostgreSql",
    "Proxy",
    "RabbitMq",
    "Redis",
    "Server",
    "ServerFailed",
    "scratch",
]
