//! The floating pane that takes keys: menu, prompts, lists, banner. Its wishes go to the
//! background instance, which holds the bridge.

mod asking;
mod drawing;
mod typing;

use serde_json::{json, Value};

use crate::effect::{Effect, Event, Identity, Millis};
use crate::host::place;
use crate::inside::{Screen, Show, ToPanel, TO_PANEL};
use crate::keys::Key;
use crate::lists::Lists;
use crate::prompt::Prompt;
use crate::text;
use crate::trees::TreeList;
use crate::view::Style;

/// A panel that nobody tells what to show (Zellij resurrected it) goes.
const ORPHAN: Millis = 3_000;
/// A letter that is followed by another so soon was meant for the shell.
const HOLD: Millis = 500;
/// A banner goes when no key came for so long: were the focus to change within a word, keys that
/// are handed on would arrive after those that go to the shell by themselves.
const PAUSE: Millis = 200;
/// Then it stays hidden this long: a key that Zellij had already sent to it is handed on, too,
/// where a closed one would lose it.
const LINGER: Millis = 400;
/// How long a report stays.
const REPORT: Millis = 8_000;

const KINDS: [&str; 3] = ["milestone", "checkpoint", "exploration"];
const MENU: [(char, Screen, &str); 7] = [
    ('i', Screen::Intent, "intent: what this is for"),
    ('m', Screen::Milestone, "milestone: a step you reached"),
    ('h', Screen::History, "history: look through all of it"),
    ('g', Screen::Go, "go to a worktree's tab"),
    ('b', Screen::New, "branch off a new worktree"),
    ('r', Screen::Restore, "restore: bring panes back"),
    ('u', Screen::Undo, "undo the last restore"),
];

#[derive(Debug)]
pub struct Panel {
    identity: Identity,
    show: Show,
    granted: bool,
    /// Messages that wait for the permission to send them.
    unsent: Vec<Effect>,
    prompt: Prompt,
    kind: usize,
    lists: Lists,
    trees: TreeList,
    /// Where the panel goes when it closes: a worktree that was made, whose making had a remark.
    then: Option<Value>,
    message: (Style, String),
    /// The question that is waited for.
    busy: Option<u64>,
    /// The question for earlier texts or list rows.
    fetch: Option<u64>,
    next_id: u64,
    close_at: Option<Millis>,
    held: Option<(Key, Millis)>,
    query_at: Option<Millis>,
    leaving: Leaving,
}

/// How far a banner is with its going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    /// Keys are handed on to the shell.
    Typing,
    /// Hidden already, and about to close.
    Hidden,
}

/// Columns and rows of the pane, frame included.
pub fn size_of(show: &Show) -> (usize, usize) {
    let wide = |wanted: usize| wanted.min(show.columns.saturating_sub(4)).max(12);
    match show.screen {
        Screen::Menu => (wide(46), MENU.len() + 4),
        Screen::Intent | Screen::Milestone | Screen::New => (wide(76), 6),
        Screen::Undo | Screen::Notice => (wide(76), 7),
        Screen::History | Screen::Restore | Screen::Go => {
            (wide(104), show.rows.saturating_sub(6).clamp(8, 26))
        }
        Screen::Banner => {
            let lines = show.banner.lines.iter();
            let longest = lines.map(|l| text::width(l)).max().unwrap_or(0);
            (wide(longest + 4), show.banner.lines.len().max(1) + 2)
        }
    }
}

impl Panel {
    pub fn new(now: Millis, identity: Identity) -> Self {
        Self {
            identity,
            show: Show {
                screen: Screen::Notice,
                ..Show::default()
            },
            granted: false,
            unsent: vec![],
            prompt: Prompt::default(),
            kind: 0,
            lists: Lists::default(),
            trees: TreeList::default(),
            then: None,
            message: (Style::Dim, String::new()),
            busy: None,
            fetch: None,
            next_id: 0,
            close_at: Some(now + ORPHAN),
            held: None,
            query_at: None,
            leaving: Leaving::No,
        }
    }

    pub fn update(&mut self, now: Millis, event: Event) -> Vec<Effect> {
        let mut effects = match event {
            Event::Permissions { granted: true } => {
                self.granted = true;
                std::mem::take(&mut self.unsent)
            }
            Event::Permissions { granted: false } => vec![Effect::CloseSelf],
            Event::Pipe {
                name,
                payload: Some(text),
                ..
            } if name == TO_PANEL => match serde_json::from_str(&text) {
                Ok(message) => self.told(now, message),
                Err(error) => vec![Effect::Log(format!("panel: {error}"))],
            },
            Event::Key(key) => self.key(now, &key),
            Event::Paste(text) => self.paste(now, &text),
            // a banner without keys of its own is not focused: any input ends it
            Event::Input
                if self.show.screen == Screen::Banner && self.show.banner.keys.is_empty() =>
            {
                self.close()
            }
            _ => vec![],
        };
        effects.extend(self.tick(now));
        effects
    }

    pub fn due_at(&self) -> Option<Millis> {
        let held = self.held.map(|(_, until)| until);
        [self.close_at, held, self.query_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn tick(&mut self, now: Millis) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.query_at.is_some_and(|at| now >= at) {
            self.query_at = None;
            effects.extend(self.fetch_rows());
        }
        if let Some((key, _)) = self.held.take_if(|(_, until)| now >= *until) {
            effects.extend(self.banner_choice(key));
        }
        if self.close_at.is_some_and(|at| now >= at) {
            effects.extend(match self.leaving {
                Leaving::Typing => self.hide(now),
                Leaving::No | Leaving::Hidden => self.close(),
            });
        }
        effects
    }

    fn told(&mut self, now: Millis, message: ToPanel) -> Vec<Effect> {
        match message {
            ToPanel::Show(show) => {
                self.show = *show;
                self.close_at = None;
                self.enter(now, self.show.screen)
            }
            ToPanel::Answer { id, result, error } => self.answered(now, id, result, error),
            ToPanel::Link { up: true, .. } => {
                if self.busy.is_some() {
                    self.message = (Style::Dim, "zdriver is back; saving …".into());
                }
                vec![Effect::Render]
            }
            ToPanel::Link { up: false, message } => {
                let kept = match self.busy {
                    Some(_) => "; this is kept and saved when it is back",
                    None => "",
                };
                self.message = (Style::Warning, format!("{message}{kept}"));
                vec![Effect::Render]
            }
            ToPanel::Close => self.close(),
        }
    }

    /// Goes to a screen, and asks for what it shows.
    fn enter(&mut self, now: Millis, screen: Screen) -> Vec<Effect> {
        let moved = self.show.screen != screen;
        self.show.screen = screen;
        self.busy = None;
        let words = std::mem::take(&mut self.show.message);
        self.message = (Style::Warning, words);
        let mut effects = vec![Effect::Render];
        if moved {
            let size = size_of(&self.show);
            let to = place(size, self.show.columns, self.show.rows, screen);
            effects.push(Effect::MoveSelf(to));
        }
        match screen {
            Screen::Intent | Screen::Milestone | Screen::New => {
                let draft = std::mem::take(&mut self.show.draft);
                self.prompt = Prompt::new(&draft, std::mem::take(&mut self.show.earlier));
                effects.extend(self.fetch_rows());
            }
            Screen::History | Screen::Restore => {
                self.lists = Lists::default();
                self.prompt = Prompt::default();
                effects.extend(self.fetch_rows());
            }
            Screen::Go => {
                self.trees = TreeList::default();
                self.prompt = Prompt::default();
                effects.extend(self.fetch_rows());
            }
            Screen::Undo => {
                self.message = (Style::Dim, "undoing …".into());
                let params = json!({"choice": "undo", "generation": 0});
                effects.extend(self.ask("plugin.choose", params));
            }
            Screen::Banner => effects.extend(self.show_banner(now)),
            Screen::Menu | Screen::Notice => {}
        }
        effects
    }

    fn show_banner(&mut self, now: Millis) -> Vec<Effect> {
        let seconds = self.show.banner.seconds;
        if seconds > 0.0 {
            self.close_at = Some(now + (seconds.min(3600.0) * 1000.0) as Millis);
        }
        match self.show.banner.keys.is_empty() {
            true => vec![Effect::Unselectable, Effect::WatchInput(true)],
            false => vec![],
        }
    }
}
