"""A RabbitMQ node: 5 seconds to start, so there is one for a whole run of tests."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from zdriver.testing.servers.process import Server, ServerFailed, free_port, program
from zdriver.testing.servers.tls import Authority
from zdriver.testing.waiting import TimedOut, until

USER, PASSWORD = "zdriver", "sesame/&open"
_NODE = "zd@localhost"
_COOKIE = "zdrivertests"
GREETED = 15.0  #: seconds that a busy node gets to take a call


class RabbitMq(Server):
    """A node of its own, with an Erlang port mapper of its own.

    tls  whose certificate it has; it then speaks only TLS
    """

    name = "rabbitmq-server"
    patience = 180.0

    def __init__(self, folder: Path, *, tls: Authority | None = None) -> None:
        super().__init__(folder)
        self.tls = tls
        self._mapper_port, self._node_port = free_port(), free_port()
        self._mapper: subprocess.Popen[bytes] | None = None

    # -- addresses -----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Of the virtual host "/"."""
        return self.url_of("/")

    def url_of(self, vhost: str, *, user: str = USER, password: str = PASSWORD) -> str:
        scheme, query = "amqp", ""
        if self.tls is not None:
            # as RabbitMQ's own specification of URLs has it; plain pika needs to be told in its own way
            scheme, query = "amqps", f"?cacertfile={quote(str(self.tls.file), safe='/')}"
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"{scheme}://{login}@127.0.0.1:{self.port}/{quote(vhost, safe='')}{query}"

    def vhost(self, name: str) -> str:
        """The URL of a fresh virtual host; one that was there is deleted with its queues."""
        self.delete_vhost(name)
        self.call(f'rabbit_vhost:add(<<"{name}">>, <<"tests">>)')
        rights = f'<<"{USER}">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"tests">>'
        self.call(f"rabbit_auth_backend_internal:set_permissions({rights})")
        return self.url_of(name)

    def delete_vhost(self, name: str) -> None:
        self.call(f'rabbit_vhost:exists(<<"{name}">>) andalso rabbit_vhost:delete(<<"{name}">>, <<"tests">>)')

    def alarm(self, on: bool) -> None:
        """The memory alarm: while it is on, nobody can publish (the connections are blocked)."""
        self.call(f"vm_memory_monitor:set_vm_memory_high_watermark({0.0 if on else 0.4})")

    def flush(self) -> None:
        """Put on the disk what was declared: RabbitMQ 3.10 does it up to two seconds later.

        Killed before that it forgets a durable queue, and with it messages that it confirmed.
        """
        self.call("mnesia:sync_log()")

    def call(self, expression: str) -> str:
        """What an Erlang expression is on the node, by erl_call(1): milliseconds, not rabbitmqctl's second.

        Raises ServerFailed when the node does not answer or the expression fails.
        """
        answer = ""

        def greeted() -> bool:
            # A busy node now and then misses a greeting; then nothing was said to it yet.
            nonlocal answer
            answer = self._ask(expression)
            return self._process is None or "failed to connect" not in answer

        with suppress(TimedOut):
            until(greeted, what="an answer of the node", deadline=GREETED)
        if not answer.startswith("{ok, "):
            raise ServerFailed(f"{expression}: {answer}")
        return answer.removeprefix("{ok, ").removesuffix("}")

    def _ask(self, expression: str) -> str:
        """{ok, RESULT} or {error, …}, or what erl_call complains of."""
        ran = subprocess.run(
            [program("erl_call", "erlang-base"), "-n", _NODE, "-c", _COOKIE, "-e", "-timeout", "20"],
            input=f"{expression}.\n",
            capture_output=True,
            text=True,
            env=dict(self.environment()),
        )
        return f"{ran.stdout.strip()}{ran.stderr.strip()}"

    # -- the server ----------------------------------------------------------------------------

    def environment(self) -> Mapping[str, str]:
        own = self.folder
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(own / "home"),
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_MNESIA_BASE": str(own / "mnesia"),
            "RABBITMQ_LOG_BASE": str(own / "log"),
            "RABBITMQ_PID_FILE": str(own / "rabbit.pid"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(own / "rabbit.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(own / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(own / "config"),
            # so that the script *becomes* the node: its pid is the child's
            "RABBITMQ_ALLOW_INPUT": "yes",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +S 2:2 +sbwt none"
            " -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def command(self) -> Sequence[str]:
        return [program("rabbitmq-server", "rabbitmq-server", "/usr/lib/rabbitmq/bin")]

    def prepare(self) -> None:
        for name in ("home", "mnesia", "log", "config"):
            (self.folder / name).mkdir(exist_ok=True)
        cookie = self.folder / "home" / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(_COOKIE)
            cookie.chmod(0o400)
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "rabbit.conf").write_text("\n".join(self._settings()) + "\n")
        # Without one, the node starts one that outlives it.
        mapper = program("epmd", "erlang-base")
        self._mapper = self.child([mapper, "-port", str(self._mapper_port), "-address", "127.0.0.1"])
        until(self._maps, what="epmd to listen", every=0.01, shows=self.tail)

    def _maps(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self._mapper_port)) == 0

    def _settings(self) -> Sequence[str]:
        common = [f"default_user = {USER}", f"default_pass = {PASSWORD}", "log.file.level = info"]
        if self.tls is None:
            return [*common, f"listeners.tcp.1 = 127.0.0.1:{self.port}"]
        own = self.tls.certificate(self.folder / "tls")
        return [
            *common,
            "listeners.tcp = none",
            f"listeners.ssl.1 = 127.0.0.1:{self.port}",
            f"ssl_options.cacertfile = {self.tls.file}",
            f"ssl_options.certfile = {own.certificate}",
            f"ssl_options.keyfile = {own.key}",
            "ssl_options.verify = verify_none",
        ]

    def ready(self) -> bool:
        return self._ask("rabbit:is_running()") == "{ok, true}"

    def dismiss(self) -> None:
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()
            self._mapper = None
