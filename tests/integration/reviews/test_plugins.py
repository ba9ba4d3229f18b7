"""A forge of a third party: the package that docs/forges.md shows, and one that is broken."""

from __future__ import annotations

import importlib
import json
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tests.integration.git.tree import Tree
from tests.integration.reviews.conftest import Site
from zdriver import Conflict, NotFound, plugins
from zdriver.forges.model import Declined, Place, Request
from zdriver.hookspecs import hookimpl

EXAMPLE = Path(__file__).parent / "example"
PAGE = Path(__file__).parents[3] / "docs" / "forges.md"


class Server(BaseHTTPRequestHandler):
    """What Gitea's API has under /api/v1/repos/o/r."""

    pulls: ClassVar[dict[str, object]] = {}

    def do_GET(self) -> None:
        found = self.pulls.get(self.path)
        self.send_response(200 if found is not None else 404)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gitea(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """ "127.0.0.1:PORT"."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        monkeypatch.setenv("GITEA_HOSTS", address)
        yield address
        server.shutdown()
    Server.pulls.clear()


def install(folder: Path, name: str, entry_points: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What an installer writes so that the entry points of a package are found."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {value}\n" for key, value in entry_points.items()]
    (info / "entry_points.txt").write_text("[zdriver]\n" + "".join(lines))
    monkeypatch.syspath_prepend(str(folder))


@pytest.fixture(autouse=True)
def loaded_anew() -> Iterator[None]:
    plugins.manager.cache_clear()
    importlib.invalidate_caches()
    yield
    plugins.manager.cache_clear()


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(tmp_path, "zdriver_gitea", project["entry-points"]["zdriver"], monkeypatch)
    monkeypatch.syspath_prepend(str(EXAMPLE))


def test_the_page_shows_the_example_as_it_is() -> None:
    page = PAGE.read_text()
    for name in ("zdriver_gitea.py", "pyproject.toml"):
        assert (EXAMPLE / name).read_text().strip() in page, name


@pytest.mark.usefixtures("example")
def test_the_example_is_asked_before_what_is_built_in(site: Site, gitea: str) -> None:
    commit = site.hub.open(123)
    site.hub.url(f"http://{gitea}/o/r.git")
    Server.pulls["/api/v1/repos/o/r/pulls/123"] = {
        "title": "Log in twice",
        "html_url": f"http://{gitea}/o/r/pulls/123",
        "state": "open",
        "merged": False,
        "head": {"sha": commit, "ref": "user-auth", "repo_id": 2},
        "base": {"ref": "main", "repo_id": 1},
    }
    done = site.review(f"http://{gitea}/o/r/pulls/123")
    assert (done.forge, done.state, done.worktree.branch) == ("gitea", "open", "user-auth")
    assert done.worktree.pull_request is not None
    assert done.worktree.pull_request.title == "Log in twice"
    assert site.refused(404, NotFound).message == "there is no such pull request"


@pytest.mark.usefixtures("example")
def test_the_example_leaves_other_remotes_alone(site: Site, gitea: str) -> None:
    site.hub.open(123)
    assert site.review(123).forge == "git"


_BROKEN = """
from zdriver.hookspecs import hookimpl

class Forge:
    name = "broken"
    def request(self, number, place):
        return {}["nothing"]

@hookimpl
def zdriver_forge(remote_url, environ):
    return Forge()
"""


def test_one_that_fails_is_named_and_the_next_is_asked(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_forge.py").write_text(_BROKEN)
    points = {"broken": "broken_forge", "missing": "there_is_no_such_module"}
    install(tmp_path, "broken_forge", points, monkeypatch)
    commit = site.hub.open(123)
    done = site.review(123)
    assert (done.forge, done.commit) == ("git", commit)
    assert "broken failed: KeyError" in done.warnings[0]


class Claiming:
    """A forge that takes so long to answer that another agent claims the worktree meanwhile."""

    name = "slow"

    def __init__(self, site: Site) -> None:
        self._site = site

    @hookimpl
    def zdriver_forge(self) -> Claiming:
        return self

    def request(self, _number: int, _place: Place) -> Request:
        self._site.driver.claims.claim("review-123", cwd=self._site.cwd, agent="bob")
        raise Declined("not mine")


def test_claimed_while_the_forge_was_asked_it_is_not_moved(site: Site) -> None:
    first = site.hub.open(123)
    path = Path(site.review(123).worktree.path)
    site.hub.author.commit("pr-123", "newer\n")
    site.hub.push(123)
    plugins.manager().register(Claiming(site))
    with pytest.raises(Conflict, match="bob"):
        site.review(123)
    assert Tree(path).head == first


def test_one_that_cannot_even_say_whether_it_knows_the_remote_is_left_out(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worse_forge.py").write_text(_BROKEN.replace("return Forge()", "raise OSError('oops')"))
    install(tmp_path, "worse_forge", {"worse": "worse_forge"}, monkeypatch)
    site.hub.open(123)
    assert site.review(123).forge == "git"
