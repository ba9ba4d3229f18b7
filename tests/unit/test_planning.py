"""What shall become of each pane, and the request that makes it so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.layout_strategies import Screen, as_cells, layouts, without_own_windows
from zdriver.context.banner import age
from zdriver.context.capture import build_layout, compare, digest, normalise
from zdriver.context.layout import Frame, Layout, Pane, Plugin, Split, Tab, terminals
from zdriver.context.model import (
    Context,
    Intent,
    Milestone,
    PaneFailure,
    PanePlan,
    RestoreReport,
)
from zdriver.context.planning import (
    CommandPolicy,
    Facts,
    apply_request,
    banner_lines,
    offer_lines,
    plan,
    planned_layout,
    wanted_folders,
)
from zdriver.context.programs import agent_of, resume_argv, session_in, shell_idle
from zdriver.context.quoting import quote
from zdriver.zellij.kdl import parse_dump, parse_layout, render_layout

ID = "0192aaaa-1111-7222-8333-444455556666"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def decide(*argv: str, policy: CommandPolicy | None = None, **fields: Any) -> PanePlan:
    pane = Pane(name="p", cwd="/w", command=argv, **fields)
    (found,) = plan(layout(pane), policy or CommandPolicy(), Facts(folders=frozenset({"/w"}), shell="bash"))
    return found


def layout(*panes: Pane | Split) -> Layout:
    return Layout(tabs=(Tab(name="t", focus=True, tiled=panes),))


# ------------------------------------------------------------- the rules


@pytest.mark.parametrize(
    ("argv", "action"),
    [
        ((), "shell"),
        (("bash",), "shell"),
        (("-zsh",), "shell"),
        (("/usr/bin/fish", "-l"), "shell"),
        (("bash", "-c", "rm -rf x"), "suspended"),
        (("bash", "script.sh"), "suspended"),
        (("vim",), "run"),
        (("vim", "notes.md"), "run"),
        (("/usr/bin/nvim", "-R", "-p2", "a", "b"), "run"),
        (("vim", "-c", "!rm x"), "suspended"),
        (("vim", "+make"), "suspended"),
        (("nvim", "--cmd", "call f()"), "suspended"),
        (("vim", "-S", "evil.vim"), "suspended"),
        (("vim", "--", "+not a command"), "run"),
        (("emacs", "-nw", "x"), "run"),
        (("emacs", "--eval", "(x)"), "suspended"),
        (("less", "+F", "log"), "run"),
        (("less", "+!rm x"), "suspended"),
        (("less", "-o", "out", "x"), "suspended"),
        (("man", "-P", "sh -c x", "ls"), "suspended"),
        (("tail", "-n", "5", "-f", "log"), "run"),
        (("htop", "-u", "me"), "run"),
        (("sleep", "1000"), "run"),
        (("ssh", "host"), "suspended"),
        (("sudo", "vim", "x"), "suspended"),
        (("watch", "date"), "suspended"),
        (("make", "-j4"), "suspended"),
        (("vimx", "a"), "suspended"),
        (("my-vim", "a"), "suspended"),
        (("claude",), "suspended"),
        (("codex", "--last"), "suspended"),
        (("claude", "--continue"), "suspended"),
    ],
)
def test_what_runs_by_itself(argv: tuple[str, ...], action: str) -> None:
    found = decide(*argv)
    assert found.action == action
    assert found.reason
    assert found.command == (() if action == "shell" else argv)


def test_the_users_lists_go_by_the_exact_program() -> None:
    policy = CommandPolicy(run=("make", "/opt/x/serve"), suspend=("vim",), never=("irssi",))
    assert decide("make", "all", policy=policy).action == "run"
    assert decide("/usr/bin/make", policy=policy).action == "run"
    assert decide("/opt/x/serve", policy=policy).action == "run"
    assert decide("/opt/y/serve", policy=policy).action == "suspended"
    assert decide("serve", policy=policy).action == "suspended"
    assert decide("cmake", policy=policy).action == "suspended"
    assert decide("vim", "x", policy=policy).action == "suspended"
    refused = decide("irssi", policy=policy)
    assert (refused.action, refused.command) == ("shell", ())
    assert "never" in refused.reason
    # what never runs does not run because it is in another list too
    both = CommandPolicy(run=("a",), suspend=("a",), never=("a",))
    assert decide("a", policy=both).action == "shell"
    assert decide("a", policy=CommandPolicy(run=("a",), suspend=("a",))).action == "suspended"


def test_a_redacted_command_never_runs() -> None:
    policy = CommandPolicy(run=("curl", "vim"))
    found = decide("curl", "-H", "…", policy=policy, redacted=True)
    assert (found.action, found.command) == ("shell", ())
    assert "secret" in found.reason
    assert decide("vim", "x", redacted=True).action == "shell"


def test_a_command_that_had_ended_waits() -> None:
    found = decide("vim", "x", exited=True)
    assert found.action == "suspended"
    assert "ended" in found.reason


def test_an_agent_is_resumed_only_by_its_exact_session() -> None:
    pane = Pane(cwd="/w", command=("claude", "--model", "x", "do it"))
    facts = Facts(folders=frozenset({"/w"}), sessions={(0, 0): ID})
    (found,) = plan(layout(pane), CommandPolicy(), facts)
    assert (found.action, found.command) == ("resume", ("claude", "--resume", ID))
    assert ID in found.reason
    assert decide("claude", "--resume", ID).command == ("claude", "--resume", ID)
    assert decide("node", "/usr/bin/codex", "resume", ID).command == ("codex", "resume", ID)
    assert decide("/opt/gemini", f"--session-id={ID}").command == ("/opt/gemini", "--resume", ID)
    assert decide("claude", "--resume", "latest").action == "suspended"
    policy = CommandPolicy(run=("claude",))
    assert decide("claude", "--continue", policy=policy).action == "run"
    assert decide("claude", policy=CommandPolicy(suspend=("claude",))).action == "suspended"


def test_the_words_of_agents() -> None:
    assert agent_of(()) == ""
    assert agent_of(("vim", "claude")) == ""
    assert agent_of(("node", "--flag", "/x/claude.js")) == "claude"
    assert session_in("", ("x", ID)) == ""
    assert session_in("claude", ("claude", "--resume")) == ""
    assert resume_argv("claude", (), ID) == ("claude", "--resume", ID)
    assert not shell_idle(())


def test_a_folder_that_is_gone_moves_the_pane_up_and_nothing_runs_there() -> None:
    panes = (Pane(cwd="/w/gone/deep", command=("vim", "x")), Pane(cwd="/w/gone"), Pane(cwd=""))
    wanted = wanted_folders(layout(*panes))
    assert wanted == {"/", "/w", "/w/gone", "/w/gone/deep"}
    editor, shell, unknown = plan(layout(*panes), CommandPolicy(), Facts(folders=frozenset({"/", "/w"})))
    assert (editor.action, editor.cwd) == ("suspended", "/w")
    assert "/w/gone/deep is gone, so in /w" in editor.reason
    assert (shell.action, shell.cwd) == ("shell", "/w")
    assert unknown.cwd == ""
    (nowhere,) = plan(layout(Pane(cwd="/w")), CommandPolicy(), Facts(folders=frozenset()))
    assert nowhere.cwd == "/"


def test_a_line_too_long_to_type_waits() -> None:
    found = decide("vim", "x" * 5_000)
    assert found.action == "suspended"
    assert "too long" in found.reason


def test_panes_that_zellij_brought_back_are_left_alone() -> None:
    facts = Facts(folders=frozenset({"/w"}), keep=True)
    found = plan(layout(Pane(cwd="/w", command=("vim",)), Pane(cwd="/w")), CommandPolicy(), facts)
    assert {each.action for each in found} == {"keep"}


policies = st.builds(
    CommandPolicy,
    run=st.lists(st.sampled_from(["vim", "make", "x"]), max_size=2).map(tuple),
    suspend=st.lists(st.sampled_from(["vim", "make", "x"]), max_size=2).map(tuple),
    never=st.lists(st.sampled_from(["vim", "make", "x"]), max_size=2).map(tuple),
)


@given(layouts(), policies)
def test_every_terminal_has_one_plan_with_a_reason(layout: Layout, policy: CommandPolicy) -> None:
    facts = Facts(folders=wanted_folders(layout))
    found = plan(layout, policy, facts)
    assert [(each.tab_index, each.pane_index) for each in found] == [
        (at, index) for at, tab in enumerate(layout.tabs) for index in range(len(terminals(tab)))
    ]
    for each, pane in zip(found, (p for tab in layout.tabs for p in terminals(tab)), strict=True):
        assert each.reason
        assert each.cwd == pane.cwd
        assert each.command in ((), pane.command)
        if each.action == "run":
            name = pane.command[0].rsplit("/", 1)[-1]
            assert name in policy.run or not set(policy.run) & {name}
            assert name not in policy.never
            assert name not in policy.suspend


# ------------------------------------------------------------- the request


def test_the_request_types_what_runs_and_suspends_what_waits() -> None:
    bar = Pane(plugin=Plugin(location="zellij:tab-bar"), size="1", borderless=True)
    floating = Pane(cwd="/w", command=("less", "a b"), frame=Frame(x="1", y="1"))
    first = Tab(
        name="one", tiled=(bar, Pane(cwd="/w", command=("make",)), Pane(cwd="/w")), floating=(floating,)
    )
    second = Tab(name="two", focus=True, tiled=(Pane(cwd="/w", command=("claude", "--resume", ID)),))
    made = Layout(tabs=(first, second))
    plans = plan(made, CommandPolicy(), Facts(folders=frozenset({"/w"}), shell="bash"))
    request = apply_request(made, plans, "override", render=render_layout, shell="/bin/bash", close_tabs=(4,))
    assert [(write.tab, write.pane, write.text) for write in request.writes] == [
        (0, 2, "command less 'a b'\n"),
        (1, 0, f"command claude --resume {ID}\n"),
    ]
    assert request.expect == (3, 1)
    assert request.order == ((0, 1, 2), (0,))
    assert request.focus_tab == 1
    assert request.close_tabs == ()
    assert request.kdl.count("start_suspended true") == 1
    raw = msgspec.json.decode(msgspec.json.encode(request))
    assert set(raw) == {
        "mode",
        "kdl",
        "layout_file",
        "focus_tab",
        "close_tabs",
        "writes",
        "expect",
        "order",
        "timeout",
    }
    replacing = apply_request(made, plans, "replace", render=render_layout, close_tabs=(4,))
    assert replacing.close_tabs == (4,)


def test_a_skipped_pane_is_not_made_and_the_others_are_counted_without_it() -> None:
    made = layout(
        Pane(cwd="/a"),
        Split(direction="vertical", children=(Pane(cwd="/b"), Pane(cwd="/c", command=("vim",)))),
    )
    plans = list(plan(made, CommandPolicy(), Facts(folders=wanted_folders(made))))
    plans[1] = msgspec.structs.replace(plans[1], action="skip")
    request = apply_request(made, plans, "new_tabs", render=render_layout)
    assert request.expect == (2,)
    assert [(write.pane, write.text) for write in request.writes] == [(1, "vim\n")]
    assert [pane.cwd for pane in terminals(planned_layout(made, plans).tabs[0])] == ["/a", "/c"]


@given(layouts(), st.sampled_from(["bash", "fish", ""]))
def test_the_request_fits_its_own_kdl(layout: Layout, shell: str) -> None:
    plans = plan(layout, CommandPolicy(), Facts(folders=wanted_folders(layout), shell=shell))
    request = apply_request(layout, plans, "override", render=render_layout, shell=shell)
    read = parse_layout(request.kdl)
    assert request.expect == tuple(len(terminals(tab)) for tab in read.tabs)
    typed = {(write.tab, write.pane) for write in request.writes}
    for each in plans:
        pane = terminals(read.tabs[each.tab_index])[each.pane_index]
        assert pane.cwd == each.cwd
        assert bool(pane.command) == (each.action == "suspended")
        assert ((each.tab_index, each.pane_index) in typed) == (each.action in ("run", "resume"))


@given(layouts(), st.integers(0, 9))
def test_captured_planned_restored_and_captured_again_is_the_same(layout: Layout, seed: int) -> None:
    """The fixpoint, through the plan: what runs is typed, what waits is in the KDL."""
    layout = without_own_windows(as_cells(normalise(layout)))
    if not any(terminals(tab) for tab in layout.tabs):
        return
    plans = plan(layout, CommandPolicy(), Facts(folders=wanted_folders(layout)))
    wanted = planned_layout(layout, plans)
    request = apply_request(layout, plans, "override", render=render_layout)
    dump = parse_layout(request.kdl)
    screen = Screen(dump)
    state = screen.state(seed)
    running = {(write.tab, write.pane) for write in request.writes}
    # the shells have read what was typed: /proc now shows the commands
    order = [(at, index) for at, tab in enumerate(dump.tabs) for index in range(len(terminals(tab)))]
    for number, spot in enumerate(order):
        if spot in running:
            pane = terminals(wanted.tabs[spot[0]])[spot[1]]
            screen.processes[number] = screen.processes[number]._replace(argv=pane.command)
    built = build_layout(state, screen.processes, dump)
    assert built is not None
    assert compare(wanted, built) == ()
    assert digest(wanted) == digest(built)


# ------------------------------------------------------------- the banner

CONTEXT = Context(id="c", zellij_session="s", root="/w")


def milestone(text: str, minutes: int) -> Milestone:
    return Milestone(
        id="m",
        text=text,
        kind="milestone",
        artifacts=(),
        commit=None,
        recorded_at=NOW - timedelta(minutes=minutes),
        intent_id=None,
        source="manual",
        context=CONTEXT,
    )


INTENT = Intent(id="i", text="Refactor\nthe database", source="manual", set_at=NOW, context=CONTEXT)


def report(*actions: Any, failed: int = 0) -> RestoreReport:
    panes = tuple(
        PanePlan(
            tab="t", name=str(at), cwd="/", command=(), action=action, reason="r", tab_index=0, pane_index=at
        )
        for at, action in enumerate(actions)
    )
    failures = tuple(PaneFailure(tab="t", name=str(at), reason="no shell in 10 s") for at in range(failed))
    return RestoreReport(
        id="r",
        zellij_session="s",
        generation=1,
        panes=panes,
        restored=len(panes) - failed,
        failed=failures,
    )


def test_the_banner_tells_the_story() -> None:
    milestones = [milestone(f"step {n}", n * 50) for n in range(5)]
    lines = banner_lines(INTENT, milestones, report("run", "shell", "resume", "suspended", "suspended"), NOW)
    assert lines == [
        "Welcome back: Refactor the database",
        "  ✓ step 0 · 0 s ago",
        "  ✓ step 1 · 50 min ago",
        "  ✓ step 2 · 1 h ago",
        "5 panes: 3 running, 2 waiting, 0 failed · u undo",
    ]


def test_the_banner_counts_each_pane_once() -> None:
    lines = banner_lines(None, [], report("suspended", "run", "skip", failed=1), NOW)
    assert lines == [
        "Welcome back",
        "2 panes: 1 running, 0 waiting, 1 failed · u undo",
        "  failed: t · 0: no shell in 10 s",
    ]
    assert banner_lines(INTENT, [], None, NOW) == ["Welcome back: Refactor the database"]
    assert "1 pane: 1 running" in banner_lines(None, [], report("run"), NOW)[1]


def test_an_offer_names_its_keys() -> None:
    lines = offer_lines(INTENT, [milestone("x" * 300, 0)], 5, NOW - timedelta(days=2), NOW)
    assert lines[-1] == "5 panes from 2 d ago · Enter restore · l list · d dismiss"
    assert len(lines[1]) < 150


def test_ages() -> None:
    spans = [
        timedelta(seconds=-5),
        timedelta(seconds=59),
        timedelta(minutes=59),
        timedelta(hours=23),
        timedelta(days=9),
    ]
    assert [age(NOW - span, NOW) for span in spans] == ["0 s", "59 s", "59 min", "23 h", "9 d"]


def test_the_line_typed_is_the_planned_command() -> None:
    found = decide("vim", "a b")
    assert quote(found.command, "bash") == "command vim 'a b'"
    assert parse_dump(render_layout(Layout())) == Layout()
