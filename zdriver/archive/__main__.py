"""The archive's worker: `python -P …/zdriver/archive/__main__.py ORDER`, started by the daemon."""

import sys
from pathlib import Path

_HOME = str(Path(__file__).resolve().parent.parent.parent)
if _HOME not in sys.path:  # a checkout: the same program as the daemon that starts it
    sys.path.insert(0, _HOME)

from zdriver.archive.worker import run  # noqa: E402 after the path it is found on

if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
