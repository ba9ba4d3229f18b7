"""Layouts for property tests, and a small stand-in for a screen that shows them."""

from __future__ import annotations

import random

import msgspec
from hypothesis import strategies as st

from zdriver.context.capture import PaneState, Process, State, TabState, is_popup
from zdriver.context.layout import Frame, Layout, Pane, Plugin, Split, Tab, leaves
from zdriver.zellij.kdl import render_layout

#: What Zellij and KDL can hold: no NUL, no lone surrogates. Nasty ones come up often.
NASTY = [
    '"',
    "\\",
    "\n",
    "\t",
    "\r",
    "\x1b",
    "\x7f",
    "'",
    "$",
    "$$",
    "${X}",
    "`",
    "🦀",
    "é",
    "e\u0301",
    "{",
    "}",
]
NASTY += [
    "//",
    "/*",
    "r#",
    ";",
    "=",
    "~",
    "\u2028",
    "\u0085",
    "\ufeff",
    "#",
    "%",
    "!",
    " ",
    "true",
    "null",
    "1",
]
words = st.lists(
    st.one_of(
        st.sampled_from(NASTY),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4),
    ),
    max_size=5,
).map("".join)
names = words
paths = st.lists(words.filter(lambda w: w.strip("/")).map(lambda w: w.replace("/", "_")), max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)
argvs = st.one_of(
    st.just(()),
    st.builds(lambda first, rest: (first, *rest), words.filter(bool), st.lists(words, max_size=3)),
)
plugins = st.builds(
    Plugin,
    location=st.sampled_from(["zellij:tab-bar", "zellij:status-bar", "file:/x/zdriver.wasm", "zdriver"]),
    configuration=st.dictionaries(
        words.filter(lambda w: w not in ("", "location", "path", "_allow_exec_host_cmd")), words, max_size=2
    ),
)
percents = st.integers(1, 100).map(lambda n: f"{n}%")
cells = st.integers(1, 500).map(str)
sizes = st.one_of(st.none(), percents, cells)


def panes(**fixed: st.SearchStrategy[object]) -> st.SearchStrategy[Pane]:
    shells = st.builds(
        Pane, name=names, cwd=paths, command=argvs, focus=st.booleans(), borderless=st.booleans(), **fixed
    )
    bars = st.builds(Pane, name=names, plugin=plugins, borderless=st.booleans(), **fixed)
    return st.one_of(shells, shells, shells, bars)


def _splits(children: st.SearchStrategy[Pane | Split]) -> st.SearchStrategy[Split]:
    several = st.lists(children, min_size=2, max_size=4).map(tuple)
    plain = st.builds(
        Split, direction=st.sampled_from(["horizontal", "vertical"]), size=sizes, children=several
    )
    members = st.lists(panes(expanded=st.booleans()), min_size=2, max_size=4).map(tuple)
    stacks = st.builds(Split, stacked=st.just(True), size=sizes, children=members)
    return st.one_of(plain, plain, stacks)


nodes: st.SearchStrategy[Pane | Split] = st.recursive(panes(size=sizes), _splits, max_leaves=6)
frames = st.builds(
    Frame,
    x=st.one_of(st.integers(0, 300).map(str), percents),
    y=st.one_of(st.integers(0, 90).map(str), percents),
    width=st.one_of(cells, percents),
    height=st.one_of(cells, percents),
    pinned=st.booleans(),
)
TAIL = """new_tab_template {
    pane borderless=true size=1 {
        plugin location="zellij:tab-bar"
    }
    pane cwd="/a b/$$x"
}
swap_tiled_layout name="vertical" {
    tab max_panes=5 {
        pane split_direction="vertical" {
            pane
            pane {
                children
            }
        }
    }
}
"""


@st.composite
def tabs(draw: st.DrawFn) -> Tab:
    floating = draw(st.lists(panes(frame=frames), max_size=2).map(tuple))
    return Tab(
        name=draw(names),
        tiled=draw(st.lists(nodes, min_size=1, max_size=3).map(tuple)),
        floating=floating,
        hide_floating=bool(floating) and draw(st.booleans()),
    )


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    made = draw(st.lists(tabs(), min_size=1, max_size=3))
    focused = draw(st.integers(0, len(made) - 1))
    made[focused] = msgspec.structs.replace(made[focused], focus=True)
    return Layout(tabs=tuple(made), tail=draw(st.sampled_from(["", TAIL])))


# ------------------------------------------------------------- a screen


def layout_of(*tiled: Pane | Split, floating: tuple[Pane, ...] = ()) -> Layout:
    return Layout(tabs=(Tab(name="work", focus=True, tiled=tiled, floating=floating),))


class Screen:
    """Gives each pane of a layout a place and an id, as Zellij would: what a plugin then sees."""

    def __init__(self, layout: Layout, *, columns: int = 4000, rows: int = 4000) -> None:
        self.layout = layout
        self.rows, self.columns = rows, columns
        self.panes: list[PaneState] = []
        self.processes: dict[int, Process] = {}
        self.ids = {False: 0, True: 0}

    def state(self, seed: int = 0) -> State:
        for at, tab in enumerate(self.layout.tabs):
            self._nodes(at, tab.tiled, 0, 0, self.columns, self.rows, vertical=False)
            for pane in tab.floating:
                frame = pane.frame or Frame()
                place = [
                    int((text or "1").rstrip("%")) for text in (frame.x, frame.y, frame.width, frame.height)
                ]
                self._pane(at, pane, *place, floating=True)
        shown = tuple(
            TabState(
                position=at,
                tab_id=at + 10,
                name=tab.name,
                active=tab.focus,
                floating_visible=bool(tab.floating) and not tab.hide_floating,
            )
            for at, tab in enumerate(self.layout.tabs)
        )
        random.Random(seed).shuffle(self.panes)
        return State(seq=1, tabs=shown, panes=tuple(self.panes))

    def _nodes(
        self,
        tab: int,
        nodes: tuple[Pane | Split, ...],
        x: int,
        y: int,
        width: int,
        height: int,
        *,
        vertical: bool,
    ) -> None:
        total = sum(_weight(node) for node in nodes)
        done = 0
        for node in nodes:
            span, room = _weight(node), (width if vertical else height)
            start, end = room * done // total, room * (done + span) // total
            done += span
            box = (x + start, y, end - start, height) if vertical else (x, y + start, width, end - start)
            if isinstance(node, Pane):
                self._pane(tab, node, *box)
            else:
                self._nodes(tab, node.children, *box, vertical=node.direction == "vertical")

    def _pane(
        self, tab: int, pane: Pane, x: int, y: int, width: int, height: int, *, floating: bool = False
    ) -> None:
        plugin = pane.plugin is not None
        number = self.ids[plugin]
        self.ids[plugin] += 1
        self.panes.append(
            PaneState(
                tab=tab,
                id=number,
                is_plugin=plugin,
                is_floating=floating,
                x=x,
                y=y,
                columns=width,
                rows=height,
                title=pane.name or "some program's title",
                focused=pane.focus,
                plugin_url=pane.plugin.location if pane.plugin else None,
            )
        )
        if not plugin:
            self.processes[number] = Process(pane.cwd, pane.command)


def _weight(node: Pane | Split) -> int:
    return 1 if isinstance(node, Pane) else len(leaves((node,)))


def as_cells(layout: Layout) -> Layout:
    """Floating frames in cells and apart from each other, as a manifest has them."""
    tabs = []
    for tab in layout.tabs:
        floating = []
        for at, pane in enumerate(tab.floating):
            assert pane.frame is not None
            frame = Frame(x=str(at * 7), y=str(at * 3), width="40", height="10", pinned=pane.frame.pinned)
            floating.append(msgspec.structs.replace(pane, frame=frame))
        tabs.append(msgspec.structs.replace(tab, floating=tuple(floating)))
    return Layout(tabs=tuple(tabs), tail=layout.tail)


def as_dump(layout: Layout) -> str:
    """What Zellij would dump: `$` not escaped, no commands it cannot know, focus lost."""
    bare = []
    for tab in layout.tabs:
        bare.append(
            msgspec.structs.replace(
                tab, tiled=tuple(map(_bare, tab.tiled)), floating=tuple(map(_bare_pane, tab.floating))
            )
        )
    return render_layout(Layout(tabs=tuple(bare), tail=layout.tail)).replace("/a b/$$x", "/a b/$x")


def _bare(node: Pane | Split) -> Pane | Split:
    if isinstance(node, Split):
        return msgspec.structs.replace(node, children=tuple(map(_bare, node.children)))
    return _bare_pane(node)


def _bare_pane(pane: Pane) -> Pane:
    return msgspec.structs.replace(pane, cwd="", command=(), focus=False)


def without_own_windows(layout: Layout) -> Layout:
    tabs = []
    for tab in layout.tabs:
        kept = tuple(p for p in tab.floating if not (p.plugin and is_popup(p.plugin.location, floating=True)))
        tabs.append(
            msgspec.structs.replace(tab, floating=kept, hide_floating=tab.hide_floating and bool(kept))
        )
    return Layout(tabs=tuple(tabs), tail=layout.tail)
