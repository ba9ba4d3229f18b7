"""Where sockets lie, which program this is, and the log that turns over."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zdriver
from zdriver.cli.output import home_relative
from zdriver.core import paths, runtime
from zdriver.core.build import build_id
from zdriver.core.errors import Unavailable

# -- the runtime folder ----------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    return monkeypatch


def test_below_xdg_runtime_dir_with_a_key_of_the_data_folder(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("XDG_RUNTIME_DIR", f"{tmp_path}/")
    first = paths.runtime_dir()
    assert first.parent == tmp_path
    environment.setenv("XDG_DATA_HOME", "/elsewhere")
    assert paths.runtime_dir() != first
    environment.setenv("XDG_DATA_HOME", "relative is ignored")
    assert paths.runtime_dir() == first


@pytest.mark.parametrize("value", ["", "relative", "/does/not/exist"])
def test_else_below_the_temporary_folder(environment: pytest.MonkeyPatch, tmp_path: Path, value: str) -> None:
    environment.setenv("XDG_RUNTIME_DIR", value)
    assert paths.runtime_dir().parent == Path("/tmp")
    assert paths.runtime_dir().name.startswith(f"zdriver-{os.getuid()}-")
    environment.setenv("TMPDIR", str(tmp_path))
    assert paths.runtime_dir().parent == tmp_path


def test_a_socket_always_fits(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for length in range(1, 120, 7):
        folder = tmp_path / ("x" * length)
        folder.mkdir()
        environment.setenv("XDG_RUNTIME_DIR", str(folder))
        environment.setenv("TMPDIR", str(folder))
        for path in (paths.daemon_socket(), paths.fork_socket()):
            assert len(os.fsencode(path)) <= runtime.SOCKET_PATH_MAX


def test_both_ways_name_the_same_data_folder(environment: pytest.MonkeyPatch) -> None:
    for value in ("", "/data", "/data/", "not absolute"):
        environment.setenv("XDG_DATA_HOME", value)
        assert Path(runtime.data_folder()) == paths.data_dir()


@pytest.mark.parametrize("home", [None, "", "relative", "~"])
def test_without_a_home_it_is_the_one_that_the_system_knows(
    environment: pytest.MonkeyPatch, home: str | None
) -> None:
    environment.delenv("HOME") if home is None else environment.setenv("HOME", home)
    known = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert paths.data_dir() == Path(runtime.data_folder()) == known / ".local/share/zdriver"
    assert paths.config_dir() == known / ".config/zdriver"


def test_who_has_no_home_at_all_is_told(environment: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number of its own."""
    environment.delenv("HOME")
    environment.setattr("pwd.getpwuid", lambda uid: {}[uid])
    with pytest.raises(Unavailable, match="no home folder"):
        paths.data_dir()
    for name in ("DATA", "STATE", "CONFIG"):
        environment.setenv(f"XDG_{name}_HOME", "/x")
    assert paths.data_dir() == Path(runtime.data_folder()) == Path("/x/zdriver")
    assert home_relative("/x/zdriver") == "/x/zdriver"


def test_a_private_folder_is_private_or_refused(tmp_path: Path) -> None:
    made = paths.private_dir(tmp_path / "new" / "folder")
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o755)
    assert paths.private_dir(made).stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(made)
    (tmp_path / "file").touch()
    for wrong in ("link", "file"):
        with pytest.raises(Unavailable, match="not a folder of yours"):
            paths.private_dir(tmp_path / wrong)


# -- the entry point -------------------------------------------------------------------------


def test_the_fast_path_loads_next_to_nothing() -> None:
    """Beside what Python has loaded anyway: six small modules."""
    code = (
        "import sys; before = set(sys.modules); import zdriver.cli.fast, zdriver.core.build, _socket;"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    ours = ["zdriver", "zdriver.cli", "zdriver.cli.fast", "zdriver.core"]
    assert loaded == ["_socket", *ours, "zdriver.core.build", "zdriver.core.runtime"]


def test_importing_zdriver_loads_no_engine_and_no_git() -> None:
    code = (
        "import sys, zdriver; zdriver.connect(); zdriver.here(); import zdriver.cli.main;"
        "print(*sorted({'redis', 'psycopg', 'pika', 'git', 'apsw'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""


def test_everything_a_script_may_use_is_there() -> None:
    for name in zdriver.__all__:
        assert getattr(zdriver, name) is not None
    with pytest.raises(AttributeError):
        zdriver.nothing  # noqa: B018 it is not there


# -- which program this is -------------------------------------------------------------------


def test_a_build_changes_with_any_module_and_with_nothing_else(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "below").mkdir(parents=True)
    module = package / "below" / "module.py"
    module.write_text("one")
    (package / "__init__.py").touch()
    first = build_id(str(package))
    assert len(first) == 16
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.py").touch()
    (package / "data.txt").touch()
    assert build_id(str(package)) == first
    seen = {first}
    for change in ("two", "longer"):
        module.write_text(change)
        os.utime(module, ns=(0, len(seen)))
        seen.add(build_id(str(package)))
    (package / "new.py").touch()
    seen.add(build_id(str(package)))
    (package / "new.py").unlink()
    shutil.copytree(package, tmp_path / "copy")
    seen.add(build_id(str(tmp_path / "copy")))
    assert len(seen) == 5
    assert build_id(str(tmp_path / "missing")) == ""


def test_the_build_of_an_installed_wheel_changes_when_it_is_installed_again(tmp_path: Path) -> None:
    package = tmp_path / "zdriver"
    package.mkdir()
    module = package / "module.py"
    module.touch()
    record = tmp_path / f"zdriver-{zdriver.__version__}.dist-info" / "RECORD"
    record.parent.mkdir()
    of_checkout = build_id(str(package))
    record.write_text("zdriver/module.py,,\n")
    first = build_id(str(package))
    module.write_text("its list stands for it")
    assert build_id(str(package)) == first != of_checkout
    record.with_name("NEW").write_text("zdriver/module.py,,\n")
    record.with_name("NEW").replace(record)  # as installers do, also for the same version
    again = build_id(str(package))
    assert again not in (first, of_checkout)
    shutil.rmtree(record.parent)  # a later version has a folder of another name
    assert build_id(str(package)) not in (first, again)
    shutil.rmtree(package)
    assert build_id(str(package)) == ""


# -- the log ---------------------------------------------------------------------------------


def test_the_log_turns_over_and_keeps_five(tmp_path: Path) -> None:
    """In a process of its own, for it takes the descriptors 1 and 2."""
    code = f"""
import logging, os
from pathlib import Path
from zdriver.daemon.logfile import LogFile
handler = LogFile(Path({str(tmp_path / "logs" / "d.log")!r}), size=1000)
handler.open()
logging.getLogger().addHandler(handler)
for number in range(100):
    logging.warning("number %d %s", number, "x" * 90)
print("printed", flush=True)
os.system("echo from a child >&2")
Path({str(tmp_path / "logs" / "d.log")!r}).rename({str(tmp_path / "seen")!r})
handler.turn_over()
logging.warning("in the new file \\udcff")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert names == ["d.log", "d.log.1", "d.log.2", "d.log.3", "d.log.4"]
    assert all((tmp_path / "logs" / name).stat().st_size < 1300 for name in names)
    assert (tmp_path / "seen").read_text().endswith("x\nprinted\nfrom a child\n")
    newest = (tmp_path / "logs" / "d.log").read_text()
    assert newest.startswith("20")
    assert newest.endswith("in the new file \\udcff\n")
