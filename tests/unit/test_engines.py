"""Where engines are: URLs, secrets, and that no secret is shown."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from zdriver.core import secrets, urls
from zdriver.core.config import LEAVES, Config, load, parse, variable_of
from zdriver.core.engines import SCHEMES, Address, address, configured
from zdriver.core.errors import InvalidInput, Unavailable
from zdriver.testing import until

SECRET = "s3cr/et@:#%?"


def configuration(**values: str) -> Config:
    """`storage_url="…"` → a Config with that."""
    tree: dict[str, dict[str, str]] = {}
    for name, value in values.items():
        section, _, leaf = name.partition("_")
        tree.setdefault(section, {})[leaf] = value
    return msgspec.convert(tree, Config)


def storage(**values: str) -> Address:
    found = address("storage.url", configuration(**values))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("setting", "url", "scheme"),
    [
        ("storage.url", "postgresql://ann:pw@db.example:5433/zdriver?sslmode=verify-full", "postgresql"),
        ("storage.url", "postgresql:///zdriver?host=/run/postgresql", "postgresql"),
        ("storage.url", "postgresql://a:1,b:2/zdriver?target_session_attrs=read-write", "postgresql"),
        ("archive.url", "postgresql://[::1]:5432/history", "postgresql"),
        ("context.url", "redis://localhost", "redis"),
        ("context.url", "rediss://:pw@cache:6380/2?ssl_ca_certs=/etc/ca.pem", "rediss"),
        ("context.url", "unix:///run/redis.sock?db=1", "unix"),
        ("context.url", "unix:///run/a@b.sock", "unix"),
        ("events.url", "amqp://guest:guest@localhost:5672/%2F?heartbeat=10", "amqp"),
        ("events.url", "AMQPS://broker", "amqps"),
    ],
)
def test_what_drivers_take_is_taken_as_it_is(setting: str, url: str, scheme: str) -> None:
    found = address(setting, configuration(**{setting.replace(".", "_"): url}))
    assert found is not None
    assert (found.setting, found.scheme) == (setting, scheme)
    assert found.url.lower() == url.lower()


def test_nothing_set_is_no_address() -> None:
    for setting in ("storage.url", "context.url", "archive.url", "events.url"):
        assert address(setting, Config()) is None
        assert not configured(setting, Config())


def test_the_short_name_of_postgresql_is_the_same() -> None:
    assert storage(storage_url="postgres://h/d").url == "postgresql://h/d"


@pytest.mark.parametrize(
    ("setting", "url", "says"),
    [
        ("storage.url", "mysql://ann:geheim@h/db", "begins with mysql://, which zdriver does not know"),
        ("storage.url", "redis://h", "begins with redis://"),
        ("context.url", "http://:geheim@h", "begins with http://"),
        ("storage.url", "geheim", "does not begin with scheme://"),
        ("storage.url", "host=h password=geheim", "a space"),
        ("storage.url", "postgresql://ann:geheim/x@h/db", "an @ too many"),
        ("storage.url", "postgresql://ann:geheim/db", "no port"),
        ("storage.url", "postgresql://ann:12/geheim@h/db", "an @ too many"),
        ("storage.url", "postgresql://ann:geheim@x@h/db", "an @ too many"),
        ("storage.url", "postgresql://ann:geheim#x@h/db", "a #"),
        ("storage.url", "postgresql://ann:geheim%x@h/db", "a %"),
        ("storage.url", "postgresql://ann:12?geheim@h/db", "name=value"),
        ("storage.url", "postgresql://h:70000/db", "no port"),
        ("storage.url", "postgresql://h:/db?x=1\n", "control"),
        ("context.url", "redis://", "names no host"),
        ("context.url", "unix://", "names no socket"),
        ("context.url", "unix://run/redis.sock", "names no socket"),
        ("events.url", "amqp:///vhost", "names no host"),
        ("context.url", "redis://h/cache", "names no database by its number"),
        ("context.url", "rediss://h/0/1", "names no database by its number"),
        ("context.url", "redis://h?db=x", "names no database by its number"),
    ],
)
def test_what_is_wrong_is_one_line_naming_setting_and_cause(setting: str, url: str, says: str) -> None:
    with pytest.raises(Unavailable) as error:
        address(setting, configuration(**{setting.replace(".", "_"): url}))
    assert error.value.message.startswith(f"{setting} ")
    assert says in error.value.message
    assert error.value.exit_code == 5
    assert error.value.hint
    assert "\n" not in error.value.message
    assert "geheim" not in error.value.message + error.value.hint


def test_a_scheme_that_a_plugin_may_know_is_let_through_where_plugins_are_asked() -> None:
    found = address("storage.url", configuration(storage_url="shelf:///tmp/x"), others=True)
    assert found is not None
    assert found.scheme == "shelf"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:geheim@h/db", "postgresql://ann:***@h/db"),
        (
            "postgresql://h/db?password=geheim&sslmode=require&sslpassword=geheim",
            "postgresql://h/db?password=***&sslmode=require&sslpassword=***",
        ),
        ("postgresql://h/db?p%61ssword=geheim", "postgresql://h/db?p%61ssword=***"),
        ("redis://:geheim@h/0", "redis://:***@h/0"),
        ("redis://geheim@h/0", "redis://***@h/0"),
        ("redis://:@h/0", "redis://:***@h/0"),
        ("postgresql://ann:geheim/x@h/db", "postgresql://***"),
        ("geheim", "***"),
        ("", ""),
    ],
)
def test_what_is_shown_has_no_secret(url: str, shown: str) -> None:
    assert urls.shown(url) == shown


@given(some.text(min_size=1))
def test_no_password_is_ever_shown(password: str) -> None:
    whole = f"postgresql://ann:{urls.encoded(password)}@h/db?password={urls.encoded(password)}"
    parts = urls.parse(whole)
    assert parts.whole() == whole
    assert parts.shown() == "postgresql://ann:***@h/db?password=***"


def test_an_address_is_printed_without_its_secret() -> None:
    found = storage(storage_url="postgresql://ann:geheim@h/db?password=geheim")
    assert "geheim" in found.url
    assert "geheim" not in f"{found} {found!r} {[found]} {found.shown}"


def test_options_are_read_and_taken_out() -> None:
    found = address("events.url", configuration(events_url="amqps://a:b@h/v?cafile=%2Fca.pem&heartbeat=5"))
    assert found is not None
    assert found.option("cafile") == "/ca.pem"
    assert found.option("none") is None
    assert found.without("cafile") == "amqps://a:b@h/v?heartbeat=5"


# -- secrets ---------------------------------------------------------------------------------


def test_the_first_line_of_a_file_is_the_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\nwhatever\n")
    found = storage(storage_url="postgresql://ann@h/db", storage_password_file=str(file))
    assert found.url == "postgresql://ann:s3cr%2Fet%40%3A%23%25%3F@h/db"


def test_a_command_prints_the_password_without_a_shell() -> None:
    command = f"{sys.executable} -c \"print('a b $HOME')\""
    found = address("events.url", configuration(events_url="amqp://h", events_password_command=command))
    assert found is not None
    assert found.url == "amqp://guest:a%20b%20%24HOME@h"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("password_file", "relative", "storage.password_file is not an absolute path"),
        (
            "password_file",
            "/nowhere/at/all",
            "storage.password_file: /nowhere/at/all cannot be read: No such",
        ),
        ("password_file", "/dev/zero", "storage.password_file: /dev/zero is not a file"),
        ("password_file", "/", "storage.password_file: / is not a file"),
        ("password_command", "false geheim", "storage.password_command: false ended with exit code 1"),
        ("password_command", "true", "storage.password_command gives no password"),
        ("password_command", "/nowhere/pass geheim", "storage.password_command: /nowhere/pass cannot be st"),
        ("password_command", "echo 'geheim", "storage.password_command cannot be split into words"),
        ("password_command", "  ", "storage.password_command is empty"),
        ("password_command", "head -c 9999 /dev/zero", "storage.password_command gives more than 4096"),
        ("password_command", r"printf '\377'", "storage.password_command gives no UTF-8"),
    ],
)
def test_a_secret_that_cannot_be_had_names_its_setting(name: str, value: str, says: str) -> None:
    with pytest.raises(Unavailable) as error:
        storage(**{"storage_url": "postgresql://ann@h/db", f"storage_{name}": value})
    assert error.value.message.startswith(says)
    assert "geheim" not in error.value.message + error.value.hint


def test_a_command_that_does_not_end_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    pids.touch()
    command = f"sh -c 'sleep 600 & echo $! $$ >{pids}; wait'"
    for seconds in (0.3, 3, 30):  # a busy machine may not have started it in the first
        monkeypatch.setattr(secrets, "TIMEOUT", seconds)
        with pytest.raises(Unavailable, match="did not end within"):
            storage(storage_url="postgresql://h/db", storage_password_command=command)
        if pids.read_text():
            break
    assert len(pids.read_text().split()) == 2
    for pid in pids.read_text().split():
        until(partial(gone, int(pid)), what=f"the end of {pid}")


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def test_two_passwords_are_one_too_many(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("geheim")
    with pytest.raises(Unavailable, match=r"storage\.url and storage\.password_file both"):
        storage(storage_url="postgresql://ann:pw@h/db", storage_password_file=str(file))
    with pytest.raises(Unavailable, match=r"storage\.url and storage\.password_file both"):
        storage(storage_url="postgresql://h/db?password=pw", storage_password_file=str(file))
    with pytest.raises(Unavailable, match=r"password_file and storage\.password_command both"):
        storage(
            storage_url="postgresql://h/db", storage_password_file=str(file), storage_password_command="true"
        )


def test_a_secret_without_a_url_is_an_oversight(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"storage\.password_file is set, and storage\.url is not"):
        address("storage.url", configuration(storage_password_file="/x"))


def test_a_file_that_others_can_read_is_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("geheim")
    file.chmod(0o600)
    assert not secrets.open_to_others(str(file))
    file.chmod(0o640)
    assert secrets.open_to_others(str(file))


# -- the configuration shows none --------------------------------------------------------------


def test_settings_are_listed_without_their_secrets(tmp_path: Path) -> None:
    loaded = load(
        tmp_path / "none",
        {
            "ZDRIVER_STORAGE_URL": "postgresql://ann:geheim@h/db",
            "ZDRIVER_CONTEXT_URL": "redis://geheim/@",
            "ZDRIVER_EVENTS_PASSWORD_COMMAND": "pass show geheim",
        },
    )
    assert loaded.config.storage.url == "postgresql://ann:geheim@h/db"
    values = {setting.name: setting.value for setting in loaded.settings}
    assert values["storage.url"] == "postgresql://ann:***@h/db"
    assert values["events.password_command"] == "pass ***"
    assert "geheim" not in repr(values["context.url"])


@pytest.mark.parametrize(
    "text",
    [
        '[storage]\nurl = ["postgresql://ann:geheim@h/db"]',
        '[events]\npassword_command = ["echo", "geheim"]',
        '[storage]\npath = "postgresql://ann:geheim@h/db"',
        '[storage]\nurll = "postgresql://ann:geheim@h/db"',
    ],
)
def test_errors_of_the_configuration_have_no_secret(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as error:
        load(file, {})
    assert "geheim" not in error.value.message + error.value.hint


# -- docs/engines.md ---------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "engines.md").read_text()


def test_the_page_shows_every_setting_of_the_engines_as_it_may_be() -> None:
    shown = parse(re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0])
    sections = ("storage", "context", "archive", "events")
    wanted = {name for name in LEAVES if name.partition(".")[0] in sections} - {"storage.path"}
    secrets_shown_once = {name for name in wanted if ".password_" in name}
    assert wanted - secrets_shown_once <= shown.keys() <= wanted
    made = load(Path("/nowhere"), {variable_of(name): str(shown[name]) for name in SCHEMES})
    for name, url in shown.items():
        if name in SCHEMES:
            assert urls.parse(url).shown() == url
            assert configured(name, made.config)
