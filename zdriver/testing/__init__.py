"""A real Zellij in a throw-away home, to test with or to show: `zdriver demo` and our own tests use it.

    with Home() as home:
        home.write_config(plugin=False)
        with Terminal(["zellij", "-s", "one"], env=home.env, cwd=home.path) as terminal:
            session = Session(home, "one")
            until(session.panes, what="a pane")

Linux only: processes are looked up in `/proc`, by code of its own, so that zdriver's view is
compared with another.
"""

from zdriver.testing.home import Home
from zdriver.testing.panes import PaneFact, Session
from zdriver.testing.screen import Screen
from zdriver.testing.terminal import Terminal
from zdriver.testing.waiting import TimedOut, until

__all__ = ["Home", "PaneFact", "Screen", "Session", "Terminal", "TimedOut", "until"]
