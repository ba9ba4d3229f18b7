"""Ids: they grow, nobody else has them, and they are what RFC 9562 calls version 7."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from zdriver.core.ids import new_id


def test_an_id_is_a_uuid_of_version_7_of_this_moment() -> None:
    before, id_, after = time.time_ns() // 1_000_000, UUID(new_id()), time.time_ns() // 1_000_000
    assert (id_.version, id_.variant) == (7, "specified in RFC 4122")
    assert before <= id_.int >> 80 <= after + 1


def test_ids_grow_and_are_made_once_whoever_asks() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: [new_id() for _ in range(500)], range(8)))
    assert all(each == sorted(each) for each in made)
    assert len({id_ for each in made for id_ in each}) == 4000
    assert len({UUID(id_).int & ((1 << 62) - 1) for each in made for id_ in each}) == 4000


def test_a_forked_child_makes_others_than_its_parent() -> None:
    code = """
import os
from zdriver.core.ids import new_id
new_id()
child = os.fork()
made = " ".join(new_id()[-16:] for _ in range(200))
if child:
    os.waitpid(child, 0)
os.write(1, f"{made}\\n".encode())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ends = run.stdout.split()
    assert len(ends) == len(set(ends)) == 400
