"""The daemon's process: `python -P …/zdriver/daemon/__main__.py OPTIONS`."""

import sys
from pathlib import Path

_HOME = str(Path(__file__).resolve().parent.parent.parent)
if _HOME not in sys.path:  # a checkout: the daemon is the same program as who started it
    sys.path.insert(0, _HOME)

from zdriver.daemon.options import Options  # noqa: E402 after the path it is found on


def main() -> int:
    import msgspec

    options = msgspec.json.decode(sys.argv[1], type=Options) if len(sys.argv) > 1 else Options()
    if options.fork_server is not None:
        from zdriver.daemon import forkserver

        forkserver.resume(*options.fork_server)
        return 0
    from zdriver.daemon.process import run

    return run(options)


if __name__ == "__main__":
    sys.exit(main())
