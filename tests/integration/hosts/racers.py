"""Many processes on several machines that want one worktree: `python -m … race|wait EACH ROUNDS NAME`.

On stdin a line of JSON per machine: [environment, folder]. See `tests.integration.claims.racers`.
"""

from __future__ import annotations

import json
import sys

from tests.integration.claims.racers import Place, play


def main() -> None:
    how, each, rounds, name = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    places = [Place(*json.loads(line)) for line in sys.stdin]
    # Side by side: neighbours in the queue are on different machines.
    play(how, [place for _ in range(each) for place in places], rounds, name)


if __name__ == "__main__":
    main()
