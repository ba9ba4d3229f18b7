"""`zdriver doctor`: is everything in order, and if not, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from zdriver.cli.checks import Check
from zdriver.cli.options import examples, json_option
from zdriver.cli.output import answer, dim, green, note, printable, progress, red, table, yellow
from zdriver.core.errors import ZdriverError


@click.command(
    epilog=examples(
        "zdriver doctor",
        "zdriver doctor --fix                    mends what is safe to mend",
        "zdriver doctor --report > report.txt    for a bug report; secrets are cut out",
    )
)
@click.option("--fix", is_flag=True, help="Mend what can be mended without a question.")
@click.option("--report", is_flag=True, help="Print all that a bug report needs.")
@json_option
def doctor(fix: bool, report: bool) -> None:
    """Check that everything works, and mend it.

    Exit code 1 when something is broken.
    """
    with progress("looking at everything"):
        checks = list(examine())
    if fix:
        mended = _mend(checks)
        checks = list(examine()) if mended else checks
    if report:
        from zdriver.cli.report import report_text

        text = report_text(checks)
        answer({"report": text}, lambda: text)
    else:
        good = all(check.state != "fail" for check in checks)
        answer({"ok": good, "checks": checks}, lambda: table([row for c in checks for row in _rows(c)]))
    if any(check.state == "fail" for check in checks):
        raise click.exceptions.Exit(1)


def examine() -> Iterator[Check]:
    """All checks, in the order in which one thing needs another."""
    from zdriver.cli.checks.inside import check_zellij
    from zdriver.cli.checks.programs import check_programs
    from zdriver.cli.checks.service import check_service
    from zdriver.cli.setup import own_command
    from zdriver.zellij import setup

    yield from check_programs()
    yield from check_service()
    yield from check_zellij(setup.where(own_command()))


def _mend(checks: list[Check]) -> bool:
    """Do the fixes that the checks name; whether any was done."""
    wanted = {check.fix for check in checks if check.fix}
    for fix in sorted(wanted):
        try:
            {"daemon": _start_daemon, "setup": _set_up}[fix]()
        except ZdriverError as error:
            note(f"{red('✗')} {fix}: {printable(error.message)}")
    return bool(wanted)


def _start_daemon() -> None:
    from zdriver.daemon.starting import ensure

    ensure()
    note(f"{green('✓')} mended: the daemon runs")


def _set_up() -> None:
    from zdriver.cli.setup import own_command
    from zdriver.zellij import setup

    at = setup.where(own_command())
    done = setup.carry_out(lambda: setup.plan_install(at), datetime.now(UTC))
    for change in done.plan.open():
        note(f"{green('✓')} mended: {change.path}")
    for change in done.plan.blocked():
        note(f"{red('✗')} {change.path}: {change.blocked}")


def _rows(check: Check) -> list[tuple[str, ...]]:
    mark = {"ok": green("ok"), "warn": yellow("warn"), "fail": red("fail")}[check.state]
    rows: list[tuple[str, ...]] = [(mark, check.name, printable(check.message))]
    if check.hint:
        rows.append(("", "", dim(f"→ {printable(check.hint)}")))
    return rows
