"""docs/rpc.md lists every method as it is: a table made of the Api classes is compared with it."""

from __future__ import annotations

import inspect
from pathlib import Path

from zdriver.archive.api import ArchiveApi
from zdriver.claims.api import ClaimsApi
from zdriver.context.api import ContextApi, RestoreApi, SnapshotApi
from zdriver.daemon.api import DaemonApi
from zdriver.hooks.api import HooksApi
from zdriver.importing.api import ImportsApi
from zdriver.rpc.events_api import EventsApi
from zdriver.rpc.methods import declared_by
from zdriver.sync.api import SyncApi
from zdriver.tasks.api import TasksApi
from zdriver.worktrees.api import WorktreesApi
from zdriver.worktrees.reviews_api import ReviewsApi

PAGE = Path(__file__).parents[2] / "docs" / "rpc.md"
SERVICES: dict[str, type] = {
    "context": ContextApi,
    "snapshot": SnapshotApi,
    "restore": RestoreApi,
    "worktrees": WorktreesApi,
    "reviews": ReviewsApi,
    "hooks": HooksApi,
    "claims": ClaimsApi,
    "sync": SyncApi,
    "tasks": TasksApi,
    "archive": ArchiveApi,
    "events": EventsApi,
    "imports": ImportsApi,
    "daemon": DaemonApi,
}


def rows() -> list[str]:
    found = []
    for service, api in SERVICES.items():
        for name, method in declared_by(api).items():
            if callable(method):
                signature = inspect.signature(method)
                parameters = ", ".join(map(_parameter, list(signature.parameters.values())[1:]))
                result = str(signature.return_annotation).replace("|", "or").replace("None", "null")
                found.append(f"| `{service}.{name}` | {parameters or '–'} | `{result}` |")
    return found


def _parameter(parameter: inspect.Parameter) -> str:
    kind = str(parameter.annotation).replace("|", "or")
    return f"`{parameter.name}`{'' if parameter.default is parameter.empty else '?'}: {kind}"


def test_every_method_is_documented_as_it_is() -> None:
    written = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert written == rows()
