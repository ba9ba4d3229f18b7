"""A figure, and how all of them are printed and kept."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    unit: str  #: of ours and limit: "ms", "s", "/s", "MB", "%"
    ours: float  #: median, or the one value there is
    tail: float | None = None  #: ours at the 99th percentile (search: the 95th)
    limit: float | None = None  #: median of what bounds it, measured in turns with it
    against: str = ""  #: what the limit is
    target: str = ""  #: as it stands in the design
    misses: tuple[str, ...] = ()  #: parts of the target that were not met

    @property
    def ratio(self) -> float | None:
        """Ours over the limit; for rates the limit over ours, so that less is always better."""
        if not self.limit or not self.ours:
            return None
        return self.limit / self.ours if self.unit == "/s" else self.ours / self.limit


def misses(**checks: bool) -> tuple[str, ...]:
    """The names of the checks that are false."""
    return tuple(name.replace("_", " ") for name, met in checks.items() if not met)


HEADER = ("figure", "ours", "p99", "limit", "ratio", "target", "met")


def table(figures: list[Figure]) -> str:
    rows = [HEADER, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    notes = [f"  {figure.what}: the limit is {figure.against}" for figure in figures if figure.against]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:], "", *notes])


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        figure.what,
        f"{_number(figure.ours)} {figure.unit}",
        _number(figure.tail),
        _number(figure.limit),
        f"{figure.ratio:.2f}x" if figure.ratio else "",
        figure.target,
        f"no: {', '.join(figure.misses)}" if figure.misses else "yes",
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def write(figures: list[Figure], path: Path) -> None:
    """As JSON: the machine, the moment, and each figure with its ratio."""
    kept = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "figures": [
            {**msgspec.to_builtins(figure), "ratio": figure.ratio, "met": not figure.misses}
            for figure in figures
        ],
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
