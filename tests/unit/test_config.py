"""The configuration: file, environment, defaults, and errors that say what to do."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from zdriver.core import config
from zdriver.core.config import LEAVES, load, parse, variable_of
from zdriver.core.errors import InvalidInput, NotFound


def written(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


def test_no_file_gives_the_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path / "none.toml", {})
    assert loaded.config == config.Config()
    assert {setting.origin for setting in loaded.settings} == {"default"}


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, '[restore]\nmode = "off"\nmax_age_days = 3\n[restore.commands]\nrun = ["npm"]\n')
    loaded = load(file, {"ZDRIVER_RESTORE_MODE": "ask", "ZDRIVER_RESTORE_COMMANDS_NEVER": "rm, dd ,"})
    assert loaded.config.restore.mode == "ask"
    assert loaded.config.restore.max_age_days == 3
    assert loaded.config.restore.commands == config.Commands(run=("npm",), never=("rm", "dd"))
    origins = {setting.name: setting.origin for setting in loaded.settings}
    assert origins["restore.mode"] == "$ZDRIVER_RESTORE_MODE"
    assert origins["restore.max_age_days"] == str(file)
    assert origins["capture.enabled"] == "default"


def test_dotted_keys_and_inline_tables_are_the_same(tmp_path: Path) -> None:
    for text in ("restore.mode = 'ask'", "restore = { mode = 'ask' }", "[restore]\nmode = 'ask'"):
        assert load(written(tmp_path, text), {}).config.restore.mode == "ask"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert load(tmp_path / "none", {"ZDRIVER_RESTORE_MODE": ""}).config.restore.mode == "auto"


@pytest.mark.parametrize(
    ("text", "says", "hints"),
    [
        (
            '[restore]\n\nmode = "maybe"',
            'config.toml, line 3: restore.mode is "maybe"; allowed: ask, auto, off',
            "",
        ),
        (
            "[restore]\nmoed = 1",
            "config.toml, line 2: restore.moed is no setting",
            "did you mean restore.mode?",
        ),
        (
            "[restore]\nmax_age_days = -1",
            "line 2: restore.max_age_days is -1; allowed: a whole number from 0",
            "",
        ),
        ("[restore]\nmax_age_days = 1.5", "restore.max_age_days is 1.5; allowed: a whole number", ""),
        ("[capture]\nenabled = 1", "capture.enabled is 1; allowed: true, false", ""),
        ("[daemon]\nidle_exit = true", "daemon.idle_exit is true; allowed: a whole number", ""),
        ("[daemon]\nlog_level = 2020-01-01", 'daemon.log_level is "2020-01-01"; allowed: debug', ""),
        ('[restore.commands]\nrun = "npm"', 'restore.commands.run is "npm"; allowed: a list', ""),
        ("[restore.commands]\nrun = [1]", "restore.commands.run is [1]; allowed: a list", ""),
        ("restore = 3", "config.toml, line 1: restore must be a [table]", ""),
        ("[colours]\nfg = 1", "config.toml, line 1: colours is no setting", ""),
        ("[restore\n", "config.toml is not TOML", "config edit"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, says: str, hints: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse(text)
    assert says in error.value.message
    assert hints in error.value.hint
    assert "\n" not in error.value.message


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ZDRIVER_RESTORE_MODE", "maybe"), ("ZDRIVER_DAEMON_IDLE_EXIT", "1h"), ("ZDRIVER_CAPTURE_ENABLED", "2")],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=rf"\${variable} is '{value}'; allowed"):
        load(tmp_path / "none", {variable: value})


@pytest.mark.parametrize("name", ["amq.topic", "a b", "ä", "x" * 201])
def test_an_exchange_that_no_broker_takes_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        InvalidInput, match=r"events\.exchange is '.*' \(\$ZDRIVER_EVENTS_EXCHANGE\); allowed: "
    ):
        load(tmp_path / "none", {"ZDRIVER_EVENTS_EXCHANGE": name})
    with pytest.raises(InvalidInput, match=r"events\.exchange is '' "):
        load(written(tmp_path, "[events]\nexchange = ''"), {})


def test_a_variable_that_is_no_setting_is_a_warning_not_an_error(tmp_path: Path) -> None:
    loaded = load(tmp_path / "none", {"ZDRIVER_RESTORE_MOED": "x", "ZDRIVER_NO_FORK": "1"})
    assert loaded.warnings == ("$ZDRIVER_RESTORE_MOED is no setting; did you mean $ZDRIVER_RESTORE_MODE?",)


def test_a_named_file_has_to_be_there(tmp_path: Path) -> None:
    file = tmp_path / "gone.toml"
    with pytest.raises(NotFound, match="ZDRIVER_CONFIG"):
        load(file, {"ZDRIVER_CONFIG": str(file)})


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="cannot be read"):
        load(file, {})


def test_every_setting_has_a_variable_of_its_own() -> None:
    assert len({variable_of(name) for name in LEAVES}) == len(LEAVES)
    assert variable_of("restore.commands.run") == "ZDRIVER_RESTORE_COMMANDS_RUN"


def test_the_template_of_config_edit_names_every_setting_with_its_default() -> None:
    from zdriver.cli.config import template

    text = template()
    assert tomllib.loads(text).keys() == {name.partition(".")[0] for name in LEAVES}
    live = "\n".join(
        line[2:] if line.startswith("# ") and " = " in line else line for line in text.splitlines()[3:]
    )
    assert set(parse(live)) == set(LEAVES)
    assert config._assembled(parse(live)) == config.Config()


def test_a_database_has_an_absolute_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"storage\.path is 'z\.db'"):
        load(tmp_path / "none", {"ZDRIVER_STORAGE_PATH": "z.db"})


def test_a_database_with_a_tilde_is_in_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert config.Config(storage=config.Storage(path="~/z.db")).database() == Path("/home/me/z.db")


def test_templates_of_worktrees_are_checked_when_they_are_read(tmp_path: Path) -> None:
    good = "[worktrees]\npath = '~/trees/{repo}'\nbranch = '{type}/{name}'"
    assert load(written(tmp_path, good), {}).config.worktrees.branch == "{type}/{name}"
    assert load(tmp_path / "none", {}).config.worktrees == config.Worktrees(path="", branch="{type}-{name}")
    for wrong in (
        "branch = 'x'",
        "branch = '{type}'",
        "branch = '{name}-{user}'",
        "path = '{name}'",
        "path = '{'",
    ):
        file = written(tmp_path, f"[worktrees]\n{wrong}")
        with pytest.raises(InvalidInput) as refused:
            load(file, {})
        assert str(file) in refused.value.message
        assert "allowed" in refused.value.message
        assert refused.value.hint
    with pytest.raises(InvalidInput, match=r"\$ZDRIVER_WORKTREES_BRANCH"):
        load(tmp_path / "none", {"ZDRIVER_WORKTREES_BRANCH": "main"})
