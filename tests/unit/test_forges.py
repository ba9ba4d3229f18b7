"""Remote URLs, and what of gh's words is an answer."""

from __future__ import annotations

import pytest

from zdriver.forges.gh import repository
from zdriver.forges.urls import Address, address


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://github.com/o/r.git", "github.com", "o/r"),
        ("https://GitHub.com/o/r/", "github.com", "o/r"),
        ("ssh://git@ssh.github.com:443/o/r.git", "ssh.github.com", "o/r"),
        ("git@github.com:o/r.git", "github.com", "o/r"),
        ("github.com:o/r", "github.com", "o/r"),
        ("git@gitlab.example:group/sub/r.git", "gitlab.example", "group/sub/r"),
    ],
)
def test_an_address(url: str, host: str, path: str) -> None:
    assert address(url) == Address(host, path)


@pytest.mark.parametrize(
    "url", ["", "/srv/r.git", "./r:x", "../r", "file:///srv/r.git", "https://[x/o/r", "https://github.com"]
)
def test_no_address(url: str) -> None:
    assert address(url) is None


@pytest.mark.parametrize(
    ("url", "gh_host", "named"),
    [
        ("git@github.com:o/r.git", "", "github.com/o/r"),
        ("ssh://git@ssh.github.com:443/o/r.git", "", "github.com/o/r"),
        ("https://acme.ghe.com/o/r", "", "acme.ghe.com/o/r"),
        ("https://git.acme.example/o/r", "Git.Acme.example", "git.acme.example/o/r"),
        ("https://git.acme.example/o/r", "", ""),
        ("https://gitlab.com/a/b/c", "gitlab.com", ""),
        ("/srv/r.git", "", ""),
    ],
)
def test_the_repository_is_named_only_where_it_is_surely_on_github(
    url: str, gh_host: str, named: str
) -> None:
    assert repository(url, gh_host) == named
