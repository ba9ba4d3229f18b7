"""Where the hot copy can be, and what is said when it cannot be there: one line with setting and cause."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import redis

from tests.contract.hot import SITE, a_view
from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable
from zdriver.hot.redis import RedisHot
from zdriver.hot.telling import RIGHTS
from zdriver.testing.servers import Authority, Redis, scratch

SECRET = "s3cret/of mine"


def at(url: str, scheme: str = "redis") -> RedisHot:
    address = Address(setting="context.url", scheme=scheme, url=url)
    return RedisHot(address, host="one", timeout_ms=10_000)


def refused(hot: RedisHot) -> Unavailable:
    """What connecting says; health says the same."""
    with contextlib.closing(hot), pytest.raises(Unavailable) as caught:
        hot.connect()
    said = caught.value
    assert said.exit_code == 5
    assert said.message.startswith("context.url")
    assert "\n" not in said.message
    assert said.hint
    health = hot.health()
    assert (health.state, health.message, health.hint) == ("down", said.message, said.hint)
    assert "s3cret" not in f"{said.message}{said.hint}{health}"
    return said


def works(hot: RedisHot) -> None:
    hot.connect()
    view = a_view()
    hot.save([view])
    assert list(hot.find(SITE.key)) == [view]
    hot.close()


def test_over_a_unix_socket(redis_server: Redis, redis_url: str) -> None:
    works(at(redis_server.unix_url, "unix"))


def test_with_tls_and_a_password(authority: Authority) -> None:
    with scratch("redis-tls") as folder, Redis(folder, tls=authority, password=SECRET) as server:
        works(at(server.url, "rediss"))
        wrong = server.url.replace("s3cret", "s3cretX")
        assert "refuses user or password" in refused(at(wrong, "rediss")).message


def test_a_certificate_of_nobody_we_know(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    with scratch("redis-tls") as folder, Redis(folder, tls=authority) as server:
        url = server.url.partition("?")[0] + f"?ssl_ca_certs={other.file}"
        assert "TLS was refused" in refused(at(url, "rediss")).message
        with pytest.raises(Unavailable, match="/gone, named by ssl_ca_certs, cannot be read"):
            at(server.url.partition("?")[0] + f"?ssl_ca_certs={tmp_path}/gone", "rediss")


def test_a_password_that_is_missing() -> None:
    with scratch("redis-pw") as folder, Redis(folder, password=SECRET) as server:
        assert "refuses user or password" in refused(at(f"redis://127.0.0.1:{server.port}")).message


def test_nobody_listens(redis_server: Redis) -> None:
    with scratch("redis-gone") as folder:
        gone = Redis(folder)
        assert "cannot be reached: Connection refused" in refused(at(gone.url)).message
    missing = at("unix:///nowhere/r.sock", "unix")
    assert "No such file" in refused(missing).message


def test_a_name_that_is_none() -> None:
    assert "cannot be reached" in refused(at(f"redis://:{'s3cret'}@no-such-host.invalid:6379")).message


def test_an_option_that_is_none(redis_url: str) -> None:
    with pytest.raises(Unavailable, match=r"^context\.url") as caught:
        at(f"{redis_url}?socket_timeout=soon")
    assert caught.value.exit_code == 5
    assert "option" in refused(at(f"{redis_url}?colour=red")).message


def test_a_database_that_is_none(redis_url: str) -> None:
    assert "DB index" in refused(at(redis_url.rpartition("/")[0] + "/99")).message


def test_a_user_without_the_rights(redis_server: Redis, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as admin:
        admin.execute_command("ACL", "SETUSER", "guest", "on", ">s3cret", "~*", "+ping", "+hello", "+select")
        url = redis_url.replace("://", "://guest:s3cret@")
        try:
            assert "does not allow" in refused(at(url)).message
        finally:
            admin.execute_command("ACL", "DELUSER", "guest")


def test_the_rights_that_the_hint_names_are_enough(redis_server: Redis, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as admin:
        admin.execute_command("ACL", "SETUSER", "ada", "on", ">s3cret", *RIGHTS.split())
        try:
            works(at(redis_url.replace("://", "://ada:s3cret@")))
        finally:
            admin.execute_command("ACL", "DELUSER", "ada")
