"""Remote URLs, and what of gh's words is an answer."""

from __future__ import annotations

import pytest

from zdriver.forges.gh import repository
from zdriver.forges.urls import Address, Asked, address, identity, pull_request, same


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


@pytest.mark.parametrize(
    ("text", "number", "where"),
    [
        ("123", 123, None),
        (" #123 ", 123, None),
        ("!7", 7, None),
        ("https://github.com/o/r/pull/123", 123, Address("github.com", "o/r")),
        ("https://GitHub.com/o/r/pull/123/commits/abc?w=1#diff", 123, Address("github.com", "o/r")),
        ("https://gitlab.com/g/s/r/-/merge_requests/7", 7, Address("gitlab.com", "g/s/r")),
        ("https://gitlab.com/g/r/merge_requests/7/diffs", 7, Address("gitlab.com", "g/r")),
        ("https://codeberg.org/o/r/pulls/5", 5, Address("codeberg.org", "o/r")),
        ("https://bitbucket.org/o/r/pull-requests/5/x", 5, Address("bitbucket.org", "o/r")),
        ("https://user:secret@git.example:8443/o/r/pull/1", 1, Address("git.example", "o/r")),
        ("https://github.com/pull/pull/pull/123", 123, Address("github.com", "pull/pull")),
    ],
)
def test_a_pull_request_by_number_or_url(text: str, number: int, where: Address | None) -> None:
    assert pull_request(text) == Asked(number, where)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "12x",
        "-1",
        "1.5",
        "\u0661",
        "https://github.com/o/r",
        "https://github.com/o/r/issues/1",
        "https://github.com/o/r/pull/",
        "https://github.com/o/r/pull/1x",
        "https:///o/r/pull/1",
        "https://[x/o/r/pull/1",
        "ftp://github.com/o/r/pull/1",
        "99999999999999999999",
    ],
)
def test_no_pull_request(text: str) -> None:
    assert pull_request(text) is None


def test_the_same_repository_under_other_names() -> None:
    for url in ("git@github.com:O/R.git", "ssh://git@ssh.github.com:443/o/r", "https://www.github.com/o/r/"):
        found = address(url)
        assert found is not None
        assert same(found, Address("github.com", "o/r"))
    assert not same(Address("github.com", "o/r"), Address("gitlab.com", "o/r"))


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("git@github.com:Owner/Repo.git", "github.com/owner/repo"),
        ("https://github.com/owner/repo", "github.com/owner/repo"),
        ("ssh://git@github.com:22/owner/repo.git/", "github.com/owner/repo"),
        ("https://git.example.org/a/b/c.git", "git.example.org/a/b/c"),
        ("file:///srv/git/app.git", "/srv/git/app"),
        ("/srv/git/app.git/", "/srv/git/app"),
        ("../app.git", ""),
        ("", ""),
    ],
)
def test_a_remote_has_one_form(url: str, form: str) -> None:
    assert identity(url) == form
