"""`zdriver config`: what is set, and where that comes from."""

from __future__ import annotations

from typing import Any

import click

from zdriver.cli.options import examples, json_option
from zdriver.cli.output import answer, dim, green, home_relative, note, table, yellow
from zdriver.core import config as settings
from zdriver.core import paths, values
from zdriver.core.errors import InvalidInput

_TEMPLATE = """\
# zdriver's configuration. Uncomment what you want to change; `zdriver config show`
# lists what is in force. Every setting can also come from the environment:
# ZDRIVER_RESTORE_MODE=ask
"""


@click.group(
    epilog=examples(
        "zdriver config show", "zdriver config edit", "ZDRIVER_RESTORE_MODE=ask zdriver config show"
    )
)
@json_option
def config() -> None:
    """Show, find and edit the configuration."""


@config.command(
    epilog=examples("zdriver config show", "zdriver config show --json | jq '.data.settings[].name'")
)
@json_option
def show() -> None:
    """Show every setting with its value and where that comes from."""
    loaded = settings.load()
    answer({"settings": loaded.settings, "warnings": loaded.warnings}, lambda: _shown(loaded))
    for warning in loaded.warnings:
        note(yellow(f"! {warning}"))


@config.command(epilog=examples('cat "$(zdriver config path)"'))
@json_option
def path() -> None:
    """Print where the configuration file is, or would be."""
    file = paths.config_file()
    answer({"path": str(file), "exists": file.exists()}, lambda: str(file))


@config.command(epilog=examples("zdriver config edit", "EDITOR=nano zdriver config edit"))
@json_option
def edit() -> None:
    """Edit the file in $VISUAL or $EDITOR.

    What you wrote is kept only when it is right; else you are told, and may edit again.
    """
    import tempfile
    from pathlib import Path

    from zdriver.cli.editor import need_terminal, run_editor
    from zdriver.zellij import files

    file = paths.config_file()
    need_terminal(f"write {home_relative(str(file))}; `zdriver config show` says whether it is right")
    before = files.read_bytes(file)
    with tempfile.TemporaryDirectory(prefix="zdriver-") as folder:
        draft = Path(folder) / "config.toml"
        draft.write_bytes(template().encode() if before is None else before)
        started_with = draft.read_bytes()
        run_editor(draft)
        while (error := _fault(draft)) is not None:
            note(f"{error.message}\n{error.hint}")
            if not click.confirm("Edit again? Otherwise nothing is changed", default=True, err=True):
                raise error
            run_editor(draft)
        after = draft.read_bytes()
    if after == started_with:
        note("nothing changed")
    else:
        files.replace(file, after, expected=before, mode=0o600)
    answer(
        {"path": str(file), "changed": after != started_with},
        lambda: f"{green('✓')} {home_relative(str(file))}" if after != started_with else "",
    )
    if after != started_with:
        note("restore settings hold at once, others when the daemon starts anew: `zdriver daemon stop`")


def template() -> str:
    """A new file: every setting, commented out, with what it may be."""
    lines = [_TEMPLATE]
    section = ""
    default = settings.Config()
    for name, kind in settings.LEAVES.items():
        table_name, _, key = name.rpartition(".")
        if table_name != section:
            section = table_name
            lines.append(f"[{section}]")
        value = settings.value_of(default, name)
        lines.append(f"# {key} = {_toml(value)}  # {values.allowed(kind)}")
    return "\n".join(lines) + "\n"


def _fault(draft: Any) -> InvalidInput | None:
    try:
        settings.parse(draft.read_text("utf-8"))
    except InvalidInput as error:
        return error
    except UnicodeDecodeError:
        return InvalidInput("the file is not UTF-8 text", hint="save it as UTF-8")
    return None


def _shown(loaded: settings.Loaded) -> str:
    rows = [
        (setting.name, _toml(setting.value), dim(home_relative(setting.origin)))
        for setting in loaded.settings
    ]
    return table(rows)


def _toml(value: Any) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()
