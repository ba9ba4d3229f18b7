"""`zdriver completions`: the script that a shell wants."""

from __future__ import annotations

import click

from zdriver.cli.options import examples


@click.command(
    epilog=examples(
        'eval "$(zdriver completions bash)"       in ~/.bashrc',
        'eval "$(zdriver completions zsh)"        in ~/.zshrc, after compinit',
        "zdriver completions fish > ~/.config/fish/completions/zdriver.fish",
    )
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completions(shell: str) -> None:
    """Print completions for your shell.

    Contexts, entries and snapshots are completed too while the daemon runs.
    """
    from click.shell_completion import get_completion_class

    from zdriver.cli.main import COMPLETE_VARIABLE, cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "zdriver", COMPLETE_VARIABLE).source())
