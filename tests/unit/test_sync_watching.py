"""Which changes below sync/ are heard of, from the real inotify."""

from __future__ import annotations

from pathlib import Path

from zdriver.sync.watching import Watching
from zdriver.testing import until


class Meanwhile(Watching):
    """Somebody makes sync/ anew in the moment after it was found to be gone."""

    def follow(self, container: str) -> None:
        super().follow(container)
        (Path(container) / "sync" / "repo").mkdir(parents=True, exist_ok=True)


def test_a_folder_that_is_made_anew_while_it_is_looked_for_is_followed(tmp_path: Path) -> None:
    container = str(tmp_path)
    watching = Meanwhile()
    try:
        watching.follow(container)
        watching.changes()
        (tmp_path / "sync").rename(tmp_path / "old")
        until(lambda: not watching.changes(), what="the end of what the move says")
        (tmp_path / "sync" / "repo" / "file").write_text("x")
        assert watching.changes() == {container: {"file"}}
    finally:
        watching.close()
