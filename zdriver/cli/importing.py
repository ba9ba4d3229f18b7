"""`zdriver import`: take over what another tool knows."""

from __future__ import annotations

import click

from zdriver.cli.options import json_option


@click.group("import")
@json_option
def import_() -> None:
    """Take over what another tool knows.

    It is only read; nothing of the other tool is changed.
    """
