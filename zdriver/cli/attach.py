"""`zdriver attach`: what the plugin runs once, to be connected with the daemon (docs/bridge.md)."""

from __future__ import annotations

import os

import click

from zdriver.cli.options import examples, json_option
from zdriver.cli.output import answer
from zdriver.cli.services import services


@click.command(
    hidden=True,
    epilog=examples("zdriver attach --zellij-session main --zellij-pid 4711 --client 1 --cwd /home/me"),
)
@click.option("--zellij-session", required=True, metavar="NAME", help="Zellij session to connect.")
@click.option("--zellij-pid", required=True, type=click.IntRange(1), help="Process id of its server.")
@click.option("--client", required=True, type=click.IntRange(0), help="Client id of the plugin instance.")
@click.option("--cwd", default="", metavar="DIR", help="Folder in which the Zellij session was started.")
@json_option
def attach(zellij_session: str, zellij_pid: int, client: int, cwd: str) -> None:
    """Connect a Zellij session's plugin."""
    from zdriver.daemon.attaching import Attached

    with services() as driver:
        attached = driver.call(
            "bridge.attach",
            Attached,
            # Zellij, which runs this, names itself rightly after it was renamed; its plugin may not know.
            zellij_session=os.environ.get("ZELLIJ_SESSION_NAME") or zellij_session,
            zellij_pid=zellij_pid,
            client=client,
            cwd=cwd,
        )
    answer(attached, lambda: f"attached; client {attached.client} leads")
