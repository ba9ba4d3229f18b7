"""Secrets go, everything people write about stays, and hostile text takes no longer than other text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.core.redact import REDACTED, redact_argv, redact_text

R = REDACTED
A = "abcdefghij0123456789ABCDEFGHIJ0123456789"
# Put together here, so that no scanner takes this file for a leak.
AWS = "AKIA" + "ABCDEFGHIJ234567"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".c2lnbmF0dXJl-_"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nZXk=\n-----END OPENSSH PRIVATE KEY-----"

SHAPES = [
    AWS,
    "ghp_" + A[:36],
    "gho_" + A[:36],
    "github_pat_" + A + "_" + A,
    "glpat-" + A[:20],
    "xoxb-" + "123456789012-" + A[:24],
    "sk-" + A,
    "sk-proj-" + A + "-_" + A,
    "sk-ant-api03-" + A + "-" + A,
    "sk_live_" + A[:24],
    "AIza" + A[:35],
    "npm_" + A[:36],
    "hf_" + A[:34],
    "hvs." + A[:24],
    JWT,
]


@pytest.mark.parametrize("secret", SHAPES, ids=lambda secret: secret[:8])
def test_values_with_a_shape_of_their_own(secret: str) -> None:
    for text in ("{}", "use {} here", '"{}"', "key:{},", "({})", "https://x/?q={}&a=b", "{}."):
        clean, found = redact_text(text.format(secret))
        assert found
        assert secret[8:20] not in clean
        assert R in clean
    assert redact_text(f"see {secret} there") == (f"see {R} there", True)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("password=hunter2", f"password={R}"),
        ("DB_PASSWORD='a b c' ./run", f"DB_PASSWORD='{R}' ./run"),
        ('export API_KEY="a b" X=1', f'export API_KEY="{R}" X=1'),
        ("FOO_TOKEN=abc make", f"FOO_TOKEN={R} make"),
        ("PGPASSWORD=x psql", f"PGPASSWORD={R} psql"),
        ("AWS_SECRET_ACCESS_KEY=x/y+z", f"AWS_SECRET_ACCESS_KEY={R}"),
        ("SECRET_KEY_BASE=abc", f"SECRET_KEY_BASE={R}"),
        ("authToken=abc", f"authToken={R}"),
        ("//registry.npmjs.org/:_authToken=abc", f"//registry.npmjs.org/:_authToken={R}"),
        ('{"password": "hunter2x", "user": "me"}', f'{{"password": "{R}", "user": "me"}}'),
        ("password: hunter2", f"password: {R}"),
        ("login --password X now", f"login --password {R} now"),
        ("x --api-key 'a b'", f"x --api-key '{R}'"),
        ("x --token=abc", f"x --token={R}"),
        ("curl 'https://x/?token=abc&b=1'", f"curl 'https://x/?token={R}&b=1'"),
        ("Authorization: Bearer abc123def456", f"Authorization: Bearer {R}"),
        ("authorization: basic dXNlcjpwYXNz", f"authorization: basic {R}"),
        ("postgres://me:pa55@host:5432/db", f"postgres://me:{R}@host:5432/db"),
        ("redis://:pa55@host", f"redis://:{R}@host"),
        ("https://me:p@ss:w@host/x", f"https://me:{R}@host/x"),
        (f"git clone https://{A}@host/r.git", f"git clone https://{R}@host/r.git"),
        ("mysql -uroot -psecret db", f"mysql -uroot -p{R} db"),
        ("mysqldump -pfoo db | mysql -pbar", f"mysqldump -p{R} db | mysql -p{R}"),
        ("curl -u me:pw https://x", f"curl -u me:{R} https://x"),
        ("sshpass -p pw ssh h", f"sshpass -p {R} ssh h"),
        ("curl --user=me:pw https://x", f"curl --user=me:{R} https://x"),
        ("ldapsearch -x -w pw -b dc", f"ldapsearch -x -w {R} -b dc"),
        ("password = hunter2", f"password = {R}"),
        ('api_token = "abc1234"', f'api_token = "{R}"'),
        ("Server=h;Uid=me;Pwd=hunter2;", f"Server=h;Uid=me;Pwd={R};"),
        ("pw=hunter2", f"pw={R}"),
        ("<password>hunter</password>", f"<password>{R}</password>"),
        (f"the password is {A}.", f"the password is {R}."),
        (f"use token {A} there", f"use token {R} there"),
        ("API key " + "0123456789abcdef" * 2, f"API key {R}"),
        (f"before\n{KEY}\nafter", f"before\n{R}\nafter"),
        (KEY[:60], R),
        ("a=1 password=x b=2", f"a=1 password={R} b=2"),
    ],
)
def test_values_whose_place_names_them(text: str, clean: str) -> None:
    assert redact_text(text) == (clean, True)
    assert redact_text(clean) == (clean, False)


@pytest.mark.parametrize(
    "text",
    [
        "commit 1f0c9d2e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "01a1fd6a-eca1-7ed3-b6b4-a80d83c4a71b",
        "/home/me/src/token/secret.py:12:3",
        "src/password_reset/views.py",
        "Refactor the token refresh: rotate it daily",
        "password: reset flow",
        "token: rotate it",
        "Fix auth: split the session",
        "Authorization: fix the flow",
        "Bearer of bad news",
        "add a --token flag",
        "document --password and --api-key",
        "the token=… parameter",
        "max_tokens=4096",
        "token = get_token()",
        "if password == other: return",
        "the password is SHA256 hashed",
        "the token is a JSONWebToken",
        "token refresh_v2_migration is done",
        "the secret is PBKDF2WithHmacs.Something1",
        "pwd=/home/me2",
        "<password>${db.password}</password>",
        "<name>hunter2x</name>",
        "curl --user=me https://x",
        "PWD=/home/me OLDPWD=/",
        "key=value author=me",
        "export TOKEN=$OTHER",
        "password=${PASSWORD}",
        "token_type=bearer",
        "PASSWORD_FILE=/run/secrets/x",
        "https://github.com/me/repo/pull/12#issuecomment-1234567890",
        "git@github.com:me/repo.git",
        "ssh://git@host:22/x",
        "me@host:/path",
        "http://localhost:8080/a@b",
        "docker run -p 8080:80 nginx",
        "mysql -p db",
        "ls -part",
        "curl -u me https://x",
        "sk-learn is not sklearn",
        "task-force-of-more-than-twenty-letters",
        "eyJust a name. Another one. And so on",
        "数据库 重构 ✨",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == (text, False)


@pytest.mark.parametrize(
    ("argv", "clean"),
    [
        (("mysql", "-uroot", "-psecret", "db"), ("mysql", "-uroot", f"-p{R}", "db")),
        (("/usr/bin/mysql", "-p", "db"), ("/usr/bin/mysql", "-p", "db")),
        (("x", "--password", "a b"), ("x", "--password", R)),
        (("x", "--password", "--verbose"), ("x", "--password", "--verbose")),
        (("x", "--token", "and"), ("x", "--token", R)),
        (("x", "--api-key=a b c"), ("x", f"--api-key={R}")),
        (("env", "FOO_TOKEN=a b", "ls"), ("env", f"FOO_TOKEN={R}", "ls")),
        (("sh", "-c", "FOO_TOKEN=abc ls"), ("sh", "-c", f"FOO_TOKEN={R} ls")),
        (("bash", "-lc", "mysql -pabc"), ("bash", "-lc", f"mysql -p{R}")),
        (("psql", "postgres://u:p@h/d"), ("psql", f"postgres://u:{R}@h/d")),
        (("curl", "-H", "Authorization: Bearer a1b2c3d4"), ("curl", "-H", f"Authorization: Bearer {R}")),
        (("curl", "-u", "me:pw", "x"), ("curl", "-u", f"me:{R}", "x")),
        (("curl", "--user=me:pw"), ("curl", f"--user=me:{R}")),
        (("curl", "-ume:pw"), ("curl", f"-ume:{R}")),
        (("redis-cli", "-a", "pw"), ("redis-cli", "-a", R)),
        (("vim", "password.txt"), ("vim", "password.txt")),
        (("docker", "run", "-p", "80:80"), ("docker", "run", "-p", "80:80")),
        (("x", "--token", "$TOKEN"), ("x", "--token", "$TOKEN")),
        (("x", ""), ("x", "")),
        ((), ()),
    ],
)
def test_argv(argv: tuple[str, ...], clean: tuple[str, ...]) -> None:
    assert redact_argv(argv) == (clean, clean != argv)
    assert redact_argv(clean) == (clean, False)


HOSTILE = [
    "eyJ-", "a=", 'a="', "a='", "://:", "-p", " -p mysql", "mysql ", "password:", "-----BEGIN PRIVATE KEY",
    "-----BEGIN PRIVATE KEY-----", "A", "a://b:", "--a ", "authorization: ", "' ", "gh", "sk-", "-u ",
    " -u curl", "x:x@", "é", "a-", "a:", "bearer ", "ghp_", "https://", "aB", "_", ".", "\n", "token=",
    "token is ", "password    ", "<token>", "<token></", "secret =   ", "a  =", "token aA1",
    "https://aaaaaaaaaaaaaaaaaaaaa", "eyJaaaaaaaaa.", "password = ", "\\", "‹", "a=a&",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_hostile_text(piece: str) -> None:
    """With any pattern that is quadratic this would take hours: nothing has to be measured."""
    clean, found = redact_text(piece * (1_000_000 // len(piece)))
    assert clean
    assert found == (R in clean and R not in piece)


PIECES = [
    *HOSTILE,
    *SHAPES,
    "x",
    "1",
    " ",
    "\n",
    R,
    "-",
    "=",
    ":",
    "@",
    "/",
    "password",
    "mysql -p",
    "curl -u a:b",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_what_was_cut_is_not_cut_again(text: str) -> None:
    clean, found = redact_text(text)
    assert found == (clean != text)
    assert redact_text(clean) == (clean, False)


@given(st.text())
def test_any_text(text: str) -> None:
    clean, found = redact_text(text)
    assert found == (clean != text)
    again, more = redact_text(clean)
    assert (again, more) == (clean, False)


@given(st.lists(st.text(), max_size=6), st.sampled_from(SHAPES))
def test_a_shape_is_found_anywhere_in_argv(words: list[str], secret: str) -> None:
    clean, found = redact_argv(("program", *words, secret))
    assert found
    assert len(clean) == len(words) + 2
    assert secret not in " ".join(clean)
