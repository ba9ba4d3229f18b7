"""What removals kept, let go of when its time is over."""

from __future__ import annotations

import logging
from pathlib import Path

from zdriver.core.errors import ZdriverError
from zdriver.git import branches
from zdriver.storage.port import Row
from zdriver.worktrees import trash
from zdriver.worktrees.journal import Journal
from zdriver.worktrees.keepsakes import also_ref, kept_ref, work_ref

log = logging.getLogger(__name__)


def expire(journal: Journal, host: str, now: int) -> int:
    """`now` in µs. How many removals were let go of."""
    due = journal.store.read(lambda tx: tx.all("removal.due", host=host, at=now))
    return sum(_expired(journal, row, now) for row in due)


def _expired(journal: Journal, row: Row, now: int) -> bool:
    # First the store says that it cannot be recovered any more: then nobody is at it.
    if row["expired_at"] is None:
        marked = journal.store.write(
            lambda tx: tx.run("removal.expire", id=row["id"], at=now), lock=[f"repo:{row['repo_id']}"]
        )
        if not marked:
            return False
    try:
        if Path(row["git_dir"]).is_dir():
            for ref in (kept_ref(row["id"]), work_ref(row["id"]), also_ref(row["id"])):
                branches.delete_ref(row["git_dir"], ref)
        left = [str(folder) for folder in _folders(row) if not _emptied(folder)]
        if left:
            log.warning("%s cannot be deleted whole", ", ".join(left))
            return False
    except (ZdriverError, OSError) as error:
        log.warning("what the removal %s kept cannot be let go of yet: %s", row["id"], error)
        return False
    journal.store.write(lambda tx: tx.run("removal.emptied", id=row["id"]), lock=[], urgent=True)
    return True


def _folders(row: Row) -> list[Path]:
    """All that may lie on disk of one removal."""
    zones = {Path(row["git_dir"], "zdriver")}
    if row["trash"]:
        zones.add(Path(row["trash"]).parent.parent)
    return [zone / kind / row["id"] for zone in sorted(zones) for kind in ("trash", "removing", "recovering")]


def _emptied(folder: Path) -> bool:
    return not trash.is_ours(folder) or trash.delete(folder)
