"""A process that saves intents from several threads and says on stdout which were acknowledged.

    python -m tests.integration.store_writer DATABASE THREADS [PREFIX]

Prints `ready`, then `N` (its text's number) after each save. Ends when it is killed.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from pathlib import Path

from zdriver.context.model import Place
from zdriver.context.service import ContextService
from zdriver.storage.sqlite import SqliteStore


def main(database: str, threads: str, prefix: str = "save") -> None:
    store = SqliteStore(Path(database))
    service = ContextService(store, host="host", roots=lambda folder: folder)
    numbers = itertools.count()
    os.write(1, b"ready\n")

    def save(k: int) -> None:
        while True:
            text = f"{prefix} {next(numbers)}"
            service.set_intent(text, place=Place(cwd=f"/work/{k}"))
            # One write per line: a line is there whole or not at all.
            os.write(1, f"{text}\n".encode())

    workers = [threading.Thread(target=save, args=(k,)) for k in range(int(threads))]
    for worker in workers:
        worker.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
