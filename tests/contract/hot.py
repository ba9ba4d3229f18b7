"""Views for the tests of the hot copy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from zdriver.context.layout import Layout, Pane, Tab
from zdriver.core.ids import new_id
from zdriver.hot.model import HotIntent, HotMilestone, HotPane, HotView, Site

NOW = datetime.now(UTC).replace(microsecond=123_456)
SITE = Site(user="ada", host="one", root="/w/app", remote="github.com/o/app", branch="main")


def a_view(**changes: Any) -> HotView:
    """A context with everything in it."""
    made = HotView(
        id=new_id(),
        version=7,
        site=SITE,
        host_name="desk",
        home="/home/ada",
        zellij_session="work",
        updated_at=NOW,
        intent=HotIntent(id=new_id(), text="Refactor the café", at=NOW - timedelta(hours=1)),
        milestones=(
            HotMilestone(id=new_id(), text="two", at=NOW, kind="checkpoint", artifacts=("src/a.py",)),
            HotMilestone(
                id=new_id(), text="one", at=NOW - timedelta(minutes=5), commit="a" * 40, source="agent"
            ),
        ),
        panes=(HotPane(tab="code", cwd="/w/app", command=("vim", "a.py")),),
        layout=Layout(tabs=(Tab(name="code", tiled=(Pane(cwd="/w/app", command=("vim", "a.py")),)),)),
        taken_at=NOW,
        parent=new_id(),
    )
    return msgspec.structs.replace(made, **changes)
