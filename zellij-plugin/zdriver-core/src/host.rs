//! The background instance's side of the panes it shows: one panel, and the status lines.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bridge::Question;
use crate::capture::{is_panel, Capture};
use crate::effect::{Effect, Place};
use crate::inside::{encode, Screen, Show, ToPanel, ToStatus, TO_PANEL, TO_STATUS};
use crate::panel::size_of;
use crate::protocol::{Banner, Pane, RpcError, Status, TabStatus};

const EARLIER_MAX: usize = 50;

#[derive(Debug, Default)]
pub struct Host {
    leader: u32,
    serial: u64,
    open: Option<Open>,
    /// The newest panel that has gone; Zellij may still show it in a manifest or two.
    gone: Option<u32>,
    /// A screen that was asked for while it is found out which instance answers.
    wished: Option<Screen>,
    /// One that is to be opened where the focus is, once that is known.
    opening: Option<Screen>,
    earlier: BTreeMap<&'static str, Vec<String>>,
    draft: Option<(Screen, String, String)>,
    status_panes: Vec<(u32, usize)>,
    own_url: Option<String>,
    told: BTreeMap<u32, String>,
}

#[derive(Debug)]
struct Open {
    /// Known once the panel shows in the manifest.
    plugin: Option<u32>,
    tab_id: usize,
    floating_before: bool,
    focus: bool,
}

impl Host {
    pub fn new(leader: u32) -> Self {
        Self {
            leader,
            ..Self::default()
        }
    }

    /// A manifest came: find the panel and the status lines in it.
    pub fn see(&mut self, panes: &[Pane], capture: &Capture) -> Vec<Effect> {
        let me = panes.iter().find(|p| p.is_plugin && p.id == self.leader);
        if let Some(url) = me.and_then(|p| p.plugin_url.clone()) {
            self.own_url = Some(url);
        }
        let ours = |p: &&Pane| {
            let url = p.plugin_url.as_deref().unwrap_or_default();
            p.is_plugin
                && p.id != self.leader
                && !is_panel(p)
                && (url.contains("zdriver") || self.own_url.as_deref() == Some(url))
        };
        self.status_panes = panes.iter().filter(ours).map(|p| (p.id, p.tab)).collect();
        let alive: Vec<u32> = self.status_panes.iter().map(|(id, _)| *id).collect();
        self.told.retain(|id, _| alive.contains(id));

        let panels = panes.iter().filter(|p| is_panel(p)).map(|p| p.id);
        let alive: Vec<u32> = panels
            .filter(|id| self.gone.is_none_or(|gone| gone < *id))
            .collect();
        let newest = alive.iter().copied().max();
        // two keys in a row may have opened two
        let older = alive.iter().filter(|id| Some(**id) != newest);
        let mut effects: Vec<Effect> = older.map(|id| to_panel(*id, &ToPanel::Close)).collect();
        match (&mut self.open, newest) {
            (Some(open), Some(id)) => open.plugin = Some(id),
            // closed by the user or by Zellij
            (Some(open), None) if open.plugin.is_some() => effects.extend(self.close_up(capture)),
            _ => {}
        }
        effects
    }

    pub fn is_open(&self, plugin: u32) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.plugin.is_none_or(|known| known == plugin))
    }

    /// Do keys go to the panel?
    pub fn has_focus(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.focus)
    }

    pub fn wish(&mut self, screen: Screen) {
        self.wished = Some(screen);
    }

    /// It is known now whether this instance answers the keys.
    pub fn elected(&mut self, me: bool, capture: &Capture, trouble: &str) -> Vec<Effect> {
        match self.wished.take() {
            Some(screen) if me => self.open(screen, None, capture, trouble),
            _ => vec![],
        }
    }

    pub fn ask_focus(&mut self, screen: Screen) -> Vec<Effect> {
        self.opening = Some(screen);
        vec![Effect::AskFocus]
    }

    /// Without an answer the newest manifest has to do.
    pub fn focused(&mut self, terminal: Option<u32>, capture: &Capture) -> Vec<Effect> {
        match self.opening.take() {
            Some(screen) => self.open(screen, terminal, capture, ""),
            None => vec![],
        }
    }

    /// `terminal`: the one that has the keys, where Zellij has said it.
    fn open(
        &mut self,
        screen: Screen,
        terminal: Option<u32>,
        capture: &Capture,
        trouble: &str,
    ) -> Vec<Effect> {
        let (draft, message) = match self.draft.take_if(|(of, _, _)| *of == screen) {
            Some((_, draft, why)) => (draft, why),
            None => (String::new(), trouble.to_owned()),
        };
        let show = Show {
            screen,
            pane: terminal,
            draft,
            message,
            earlier: self
                .earlier
                .get(method_of(screen))
                .cloned()
                .unwrap_or_default(),
            ..Show::default()
        };
        self.launch(show, capture, true)
    }

    pub fn banner(&mut self, banner: Banner, capture: &Capture) -> Vec<Effect> {
        if self.open.is_some() {
            return vec![]; // the user is writing something: that goes first
        }
        let focus = !banner.keys.is_empty();
        let show = Show {
            screen: Screen::Banner,
            banner,
            ..Show::default()
        };
        self.launch(show, capture, focus)
    }

    fn launch(&mut self, mut show: Show, capture: &Capture, focus: bool) -> Vec<Effect> {
        let Some(tab) = capture.active_tab() else {
            return vec![Effect::Log("no tab to show a panel in".into())];
        };
        let mut effects = self.tell(&ToPanel::Close);
        self.gone = self
            .gone
            .max(self.open.as_ref().and_then(|open| open.plugin));
        // an open panel has made the floating panes visible: what counts is how it was before
        let before = match &self.open {
            Some(open) if open.tab_id == tab.tab_id => open.floating_before,
            _ => tab.floating_visible,
        };
        self.open = Some(Open {
            plugin: None,
            tab_id: tab.tab_id,
            floating_before: before,
            focus,
        });
        self.serial += 1;
        show.leader = self.leader;
        show.pane = show.pane.or(capture.focused_terminal());
        (show.columns, show.rows) = (tab.columns, tab.rows);
        let place = place(size_of(&show), tab.columns, tab.rows, show.screen);
        effects.push(Effect::OpenPanel {
            place,
            focus,
            serial: self.serial,
            payload: encode(&ToPanel::Show(Box::new(show))),
        });
        effects
    }

    /// The panel says that it goes.
    pub fn closed(&mut self, plugin: u32, capture: &Capture) -> Vec<Effect> {
        if !self.is_open(plugin) {
            return vec![];
        }
        self.gone = self.gone.max(Some(plugin));
        self.close_up(capture)
    }

    /// Floating panes that were hidden before the panel came are hidden again.
    fn close_up(&mut self, capture: &Capture) -> Vec<Effect> {
        let Some(open) = self.open.take() else {
            return vec![];
        };
        self.gone = self.gone.max(open.plugin);
        let tab = capture.tabs.iter().find(|t| t.tab_id == open.tab_id);
        let others = tab.is_some_and(|tab| {
            let floating = |p: &Pane| p.tab == tab.position && p.is_floating && !p.is_suppressed;
            capture.panes.iter().any(floating)
        });
        if others && !open.floating_before {
            vec![Effect::HideFloating {
                tab_id: open.tab_id,
            }]
        } else {
            vec![]
        }
    }

    /// Says something to the open panel.
    pub fn tell(&self, message: &ToPanel) -> Vec<Effect> {
        let plugin = self.open.as_ref().and_then(|open| open.plugin);
        plugin
            .map(|plugin| to_panel(plugin, message))
            .into_iter()
            .collect()
    }

    /// Tells every status line what its tab shows, if that is new to it.
    pub fn tell_status(&mut self, status: &Status) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (plugin, position) in self.status_panes.clone() {
            let of_tab = status.tabs.iter().find(|t| t.position == position);
            let payload = encode(&ToStatus {
                tab: of_tab.cloned().unwrap_or_else(|| TabStatus {
                    position,
                    ..TabStatus::default()
                }),
                warning: status.warning.clone(),
            });
            if self.told.get(&plugin) != Some(&payload) {
                self.told.insert(plugin, payload.clone());
                effects.push(Effect::Tell {
                    plugin,
                    name: TO_STATUS,
                    payload,
                });
            }
        }
        effects
    }

    /// Every status line is to be told again: there is a new one that Zellij does not name.
    pub fn forget_told(&mut self) {
        self.told.clear();
    }

    /// Keeps what was written, for the arrow keys.
    pub fn remember(&mut self, method: &str, params: &Value) {
        let Some((_, method)) = screen_of(method) else {
            return;
        };
        let Some(text) = params["text"].as_str() else {
            return;
        };
        let earlier = self.earlier.entry(method).or_default();
        earlier.retain(|known| known != text);
        earlier.insert(0, text.to_owned());
        earlier.truncate(EARLIER_MAX);
    }

    /// It could not be done, and the panel that asked is gone: a text is kept as a draft for the
    /// next prompt, all else is told in a panel of its own.
    pub fn failed(
        &mut self,
        question: &Question,
        error: &RpcError,
        capture: &Capture,
    ) -> Vec<Effect> {
        let text = question.params["text"].as_str();
        if let (Some((screen, _)), Some(text)) = (screen_of(&question.method), text) {
            self.draft = Some((screen, text.to_owned(), error.text()));
            return vec![Effect::Log(format!(
                "{}: {}",
                question.method,
                error.text()
            ))];
        }
        let told = matches!(
            question.method.as_str(),
            "plugin.choose" | "plugin.open_tab"
        );
        if !told || self.open.is_some() {
            return vec![];
        }
        let show = Show {
            screen: Screen::Notice,
            message: error.text(),
            ..Show::default()
        };
        self.launch(show, capture, true)
    }
}

fn to_panel(plugin: u32, message: &ToPanel) -> Effect {
    Effect::Tell {
        plugin,
        name: TO_PANEL,
        payload: encode(message),
    }
}

fn screen_of(method: &str) -> Option<(Screen, &'static str)> {
    match method {
        "plugin.set_intent" => Some((Screen::Intent, "plugin.set_intent")),
        "plugin.record_milestone" => Some((Screen::Milestone, "plugin.record_milestone")),
        "plugin.add_worktree" => Some((Screen::New, "plugin.add_worktree")),
        _ => None,
    }
}

fn method_of(screen: Screen) -> &'static str {
    match screen {
        Screen::Intent => "plugin.set_intent",
        Screen::Milestone => "plugin.record_milestone",
        Screen::New => "plugin.add_worktree",
        _ => "",
    }
}

/// Centred, a third down; the banner in the upper right, where shells seldom write.
pub fn place(size: (usize, usize), columns: usize, rows: usize, screen: Screen) -> Place {
    let (width, height) = (size.0.min(columns), size.1.min(rows));
    let (x, y) = match screen {
        Screen::Banner => (columns.saturating_sub(width + 1), 1.min(rows - height)),
        _ => ((columns - width) / 2, (rows - height) / 3),
    };
    Place {
        x,
        y,
        columns: width,
        rows: height,
    }
}
