//! The Zellij session's tabs and panes, and when to tell the daemon about them.
//!
//! Zellij sends its manifest often: for a title, a cursor, a flash. The daemon hears of a change
//! 200 ms after the first one, and of nothing when nothing changed. The layout costs Zellij 5 to
//! 15 ms, so it is dumped only when the structure changed; for a new title (a pane may have been
//! given a name, which only the layout tells) after a pause that grows while nothing comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::effect::Millis;
use crate::inside::PANEL_TITLE;
use crate::protocol::{Pane, Running, SessionState, Tab};

pub const DEBOUNCE: Millis = 200;
/// How long the other half of a change is waited for.
const MISMATCH_WAIT: Millis = 700;
const TITLE_PAUSE: Millis = 800;
const TITLE_PAUSE_MAX: Millis = 30_000;

#[derive(Debug, Clone, Default)]
pub struct Capture {
    pub tabs: Vec<Tab>,
    /// zdriver's own floating panel is left out.
    pub panes: Vec<Pane>,
    pub typed: bool,
    pub clients: usize,
    /// Input came before anything was known of tabs and panes.
    early_input: bool,
    pids: BTreeMap<u32, i32>,
    cwds: BTreeMap<u32, String>,
    commands: BTreeMap<u32, Running>,
    /// Panes whose pid was asked for; a held pane has none, and is asked again when it runs.
    asked: BTreeSet<(u32, bool)>,
    seq: u64,
    dirty_since: Option<Millis>,
    sent: Option<u64>,
    dumped_structure: Option<u64>,
    dumped_titles: u64,
    dumped_at: Millis,
    dumped_layout: u64,
    title_pause: Millis,
}

/// What has to be asked of Zellij before the next state is whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    pub pids: Vec<u32>,
    pub layout: bool,
}

impl Capture {
    pub fn set_tabs(&mut self, now: Millis, tabs: Vec<Tab>) {
        if tabs != self.tabs {
            self.tabs = tabs;
            self.touch(now);
            self.judge_early_input();
        }
    }

    pub fn set_panes(&mut self, now: Millis, panes: Vec<Pane>) {
        let mut panes: Vec<Pane> = panes.into_iter().filter(|p| !is_panel(p)).collect();
        panes.sort_by_key(|p| (p.tab, p.is_plugin, p.id));
        if panes != self.panes {
            self.panes = panes;
            self.forget_closed();
            self.touch(now);
            self.judge_early_input();
        }
    }

    pub fn set_cwd(&mut self, now: Millis, terminal: u32, path: String) {
        if self.cwds.get(&terminal) != Some(&path) {
            self.cwds.insert(terminal, path);
            self.touch(now);
        }
    }

    pub fn set_command(&mut self, now: Millis, terminal: u32, running: Running) {
        if self.commands.get(&terminal) != Some(&running) {
            self.commands.insert(terminal, running);
            self.touch(now);
        }
    }

    /// Somebody did something: whether a key of it may have reached a shell.
    ///
    /// To Zellij what a plugin asks for is input, too, and its start-up tips ask for something as
    /// they load, maybe before the first manifest: so that tells whose input it was.
    pub fn input(&mut self, now: Millis) -> bool {
        if !self.is_seen() {
            self.early_input = true;
            return false;
        }
        if self.popup_has_focus() {
            return false;
        }
        self.set_typed(now);
        true
    }

    /// A key reached a shell.
    pub fn set_typed(&mut self, now: Millis) {
        if !self.typed {
            self.typed = true;
            self.touch(now);
        }
    }

    fn judge_early_input(&mut self) {
        if self.early_input && self.is_seen() {
            self.early_input = false;
            self.typed |= !self.popup_has_focus();
        }
    }

    fn is_seen(&self) -> bool {
        !self.tabs.is_empty() && !self.panes.is_empty()
    }

    /// A floating plugin of the tab in front takes the keys, such as Zellij's tips at the start.
    fn popup_has_focus(&self) -> bool {
        let front = self.tabs.iter().find(|tab| tab.active);
        front.is_some_and(|tab| {
            tab.floating_visible
                && self.panes.iter().any(|pane| {
                    pane.tab == tab.position
                        && pane.is_plugin
                        && pane.is_floating
                        && pane.focused
                        && !pane.is_suppressed
                })
        })
    }

    /// Terminals came or went.
    pub fn set_clients(&mut self, now: Millis, count: usize) {
        if self.clients != count {
            self.clients = count;
            self.touch(now);
        }
    }

    pub fn set_pid(&mut self, terminal: u32, pid: Option<i32>) {
        match pid {
            Some(pid) => self.pids.insert(terminal, pid),
            None => self.pids.remove(&terminal),
        };
    }

    /// Everything is to be sent again: somebody new listens.
    pub fn start_over(&mut self, now: Millis) {
        self.sent = None;
        self.dumped_structure = None;
        self.asked.clear();
        self.touch(now);
    }

    fn touch(&mut self, now: Millis) {
        self.dirty_since.get_or_insert(now);
    }

    /// When the next state is to be sent.
    pub fn due_at(&self) -> Option<Millis> {
        let wait = if self.is_consistent() {
            DEBOUNCE
        } else {
            MISMATCH_WAIT
        };
        let change = self.dirty_since.map(|since| since + wait);
        let title = (self.dumped_structure.is_some() && self.titles() != self.dumped_titles)
            .then(|| self.dumped_at + self.pause());
        change.or(title)
    }

    /// Zellij tells of tabs and of panes in two events: do they speak of the same tabs?
    fn is_consistent(&self) -> bool {
        let tabs: BTreeSet<usize> = self.tabs.iter().map(|t| t.position).collect();
        let with_panes: BTreeSet<usize> = self.panes.iter().map(|p| p.tab).collect();
        tabs == with_panes
    }

    fn pause(&self) -> Millis {
        self.title_pause.max(TITLE_PAUSE)
    }

    /// What is missing for a whole state. Marks the pids as asked for.
    pub fn needs(&mut self, now: Millis) -> Needs {
        let mut pids = Vec::new();
        for pane in self.panes.iter().filter(|p| !p.is_plugin && !p.exited) {
            if self.asked.insert((pane.id, pane.held)) {
                pids.push(pane.id);
            }
        }
        let structure = self.dumped_structure != Some(self.structure());
        let title = self.titles() != self.dumped_titles && now >= self.dumped_at + self.pause();
        Needs {
            pids,
            layout: structure || title,
        }
    }

    /// The layout was dumped: remember for which structure.
    pub fn dumped(&mut self, now: Millis, layout: &str) {
        let digest = hash_of(&layout);
        let structure = self.structure();
        let for_title = self.dumped_structure == Some(structure);
        self.title_pause = if for_title && digest == self.dumped_layout {
            (self.pause() * 2).min(TITLE_PAUSE_MAX)
        } else {
            TITLE_PAUSE
        };
        self.dumped_layout = digest;
        self.dumped_structure = Some(structure);
        self.dumped_titles = self.titles();
        self.dumped_at = now;
    }

    /// Zellij gave no layout: it is asked again, but not at once.
    pub fn dump_failed(&mut self, now: Millis) {
        self.title_pause = (self.pause() * 2).min(TITLE_PAUSE_MAX);
        self.dumped_at = now;
    }

    /// The next state, or None when it would say nothing new.
    pub fn next_state(&mut self, layout: Option<String>) -> Option<SessionState> {
        self.dirty_since = None;
        let digest = self.digest();
        if layout.is_none() && self.sent == Some(digest) {
            return None;
        }
        self.sent = Some(digest);
        self.seq += 1;
        Some(self.state(layout))
    }

    pub fn state(&self, layout: Option<String>) -> SessionState {
        SessionState {
            seq: self.seq,
            tabs: self.tabs.clone(),
            panes: self.panes.clone(),
            pids: self.pids.clone(),
            cwds: self.cwds.clone(),
            commands: self.commands.clone(),
            typed: self.typed,
            clients: self.clients,
            layout,
        }
    }

    pub fn active_tab(&self) -> Option<&Tab> {
        self.tabs.iter().find(|t| t.active)
    }

    /// Zellij's own word on which tab is shown; the manifests follow.
    pub fn set_active(&mut self, tab_id: Option<usize>) {
        if self.tabs.iter().any(|tab| Some(tab.tab_id) == tab_id) {
            for tab in &mut self.tabs {
                tab.active = Some(tab.tab_id) == tab_id;
            }
        }
    }

    /// The terminal that has the keys in the active tab.
    pub fn focused_terminal(&self) -> Option<u32> {
        let tab = self.active_tab()?;
        let here =
            |p: &&Pane| p.tab == tab.position && p.focused && !p.is_plugin && !p.is_suppressed;
        let floating = self.panes.iter().filter(here).find(|p| p.is_floating);
        let tiled = self.panes.iter().filter(here).find(|p| !p.is_floating);
        match floating {
            Some(pane) if tab.floating_visible => Some(pane.id),
            _ => tiled.map(|p| p.id),
        }
    }

    fn forget_closed(&mut self) {
        let open: BTreeSet<u32> = self
            .panes
            .iter()
            .filter(|p| !p.is_plugin)
            .map(|p| p.id)
            .collect();
        self.pids.retain(|id, _| open.contains(id));
        self.cwds.retain(|id, _| open.contains(id));
        self.commands.retain(|id, _| open.contains(id));
        self.asked.retain(|(id, _)| open.contains(id));
    }

    fn structure(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for tab in &self.tabs {
            (tab.tab_id, tab.position, &tab.name, tab.floating_visible).hash(&mut hasher);
        }
        for pane in &self.panes {
            let kind = (
                pane.tab,
                pane.id,
                pane.is_plugin,
                pane.is_floating,
                pane.is_suppressed,
            );
            let place = (
                pane.x,
                pane.y,
                pane.rows,
                pane.columns,
                pane.fullscreen,
                pane.held,
            );
            (kind, place, &pane.command, &pane.plugin_url).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn titles(&self) -> u64 {
        let titles: Vec<_> = self.panes.iter().map(|p| (p.id, &p.title)).collect();
        hash_of(&titles)
    }

    fn digest(&self) -> u64 {
        let pids: Vec<_> = self.pids.iter().collect();
        let cwds: Vec<_> = self.cwds.iter().collect();
        let commands: Vec<_> = self
            .commands
            .iter()
            .map(|(id, r)| (id, &r.argv, r.foreground))
            .collect();
        let all = (&self.tabs, &self.panes, pids, cwds, commands);
        hash_of(&(all, self.typed, self.clients))
    }
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// zdriver's prompt, list or banner: never part of what is remembered.
pub fn is_panel(pane: &Pane) -> bool {
    pane.is_plugin && pane.is_floating && pane.title == PANEL_TITLE
}
