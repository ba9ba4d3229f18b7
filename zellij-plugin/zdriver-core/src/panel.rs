//! The floating pane that takes keys: menu, prompts, lists, banner. Its wishes go to the
//! background instance, which holds the bridge.

use serde_json::{json, Value};

use crate::effect::{Effect, Event, Identity, Millis};
use crate::host::place;
use crate::inside::{encode, Screen, Show, ToLeader, ToPanel, TO_LEADER, TO_PANEL};
use crate::keys::{to_bytes, Code, Key};
use crate::lists::{Lists, Picked};
use crate::prompt::{Prompt, Typed};
use crate::protocol::RpcError;
use crate::text;
use crate::view::{Line, Style};

/// A panel that nobody tells what to show (Zellij resurrected it) goes.
const ORPHAN: Millis = 3_000;
/// A letter that is followed by another so soon was meant for the shell.
const HOLD: Millis = 500;
/// How long a report stays.
const REPORT: Millis = 8_000;

const KINDS: [&str; 3] = ["milestone", "checkpoint", "exploration"];
const MENU: [(char, Screen, &str); 5] = [
    ('i', Screen::Intent, "intent: what this is for"),
    ('m', Screen::Milestone, "milestone: a step you reached"),
    ('h', Screen::History, "history: look through all of it"),
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
    message: (Style, String),
    /// The question that is waited for.
    busy: Option<u64>,
    /// The question for earlier texts or list rows.
    fetch: Option<u64>,
    next_id: u64,
    close_at: Option<Millis>,
    held: Option<(Key, Millis)>,
    query_at: Option<Millis>,
}

/// Columns and rows of the pane, frame included.
pub fn size_of(show: &Show) -> (usize, usize) {
    let wide = |wanted: usize| wanted.min(show.columns.saturating_sub(4)).max(12);
    match show.screen {
        Screen::Menu => (wide(46), MENU.len() + 4),
        Screen::Intent | Screen::Milestone => (wide(76), 6),
        Screen::Undo | Screen::Notice => (wide(76), 7),
        Screen::History | Screen::Restore => (wide(104), show.rows.saturating_sub(6).clamp(8, 26)),
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
            message: (Style::Dim, String::new()),
            busy: None,
            fetch: None,
            next_id: 0,
            close_at: Some(now + ORPHAN),
            held: None,
            query_at: None,
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
            effects.extend(self.close());
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
            Screen::Intent | Screen::Milestone => {
                let draft = std::mem::take(&mut self.show.draft);
                self.prompt = Prompt::new(&draft, std::mem::take(&mut self.show.earlier));
                effects.extend(self.fetch_rows());
            }
            Screen::History | Screen::Restore => {
                self.lists = Lists::default();
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

    // -- the daemon

    fn send(&mut self, message: &ToLeader) -> Vec<Effect> {
        let tell = Effect::Tell {
            plugin: self.show.leader,
            name: TO_LEADER,
            payload: encode(message),
        };
        if self.granted {
            return vec![tell];
        }
        self.unsent.push(tell);
        vec![]
    }

    fn question(&mut self, method: &str, params: Value) -> (u64, Vec<Effect>) {
        self.next_id += 1;
        let ask = ToLeader::Ask {
            plugin: self.identity.plugin_id,
            id: self.next_id,
            method: method.into(),
            params,
        };
        (self.next_id, self.send(&ask))
    }

    fn ask(&mut self, method: &str, params: Value) -> Vec<Effect> {
        let (id, effects) = self.question(method, params);
        self.busy = Some(id);
        effects
    }

    fn fetch_rows(&mut self) -> Vec<Effect> {
        let (method, params) = match self.show.screen {
            Screen::Restore => ("plugin.snapshots", json!({})),
            Screen::History => {
                let query = self.prompt.text();
                self.lists.asking(&query);
                ("plugin.history", json!({"query": query, "limit": 200}))
            }
            _ => ("plugin.history", json!({"query": "", "limit": 50})),
        };
        let (id, effects) = self.question(method, params);
        self.fetch = Some(id);
        effects
    }

    fn answered(
        &mut self,
        now: Millis,
        id: u64,
        result: Option<Value>,
        error: Option<RpcError>,
    ) -> Vec<Effect> {
        if self.fetch == Some(id) {
            self.fetch = None;
            self.fetched(result, error);
            return vec![Effect::Render];
        }
        if self.busy != Some(id) {
            return vec![];
        }
        self.busy = None;
        if let Some(error) = error {
            self.message = (Style::Warning, error.text());
            return vec![Effect::Render];
        }
        match self.show.screen {
            Screen::Undo => {
                self.message = (Style::Good, undone(&result.unwrap_or_default()));
                self.close_at = Some(now + REPORT);
                vec![Effect::Render]
            }
            _ => self.close(),
        }
    }

    fn fetched(&mut self, result: Option<Value>, error: Option<RpcError>) {
        match (self.show.screen, result, error) {
            (Screen::History | Screen::Restore, _, Some(error)) => {
                self.message = (Style::Warning, error.text());
            }
            (Screen::History, Some(rows), _) => self.lists.set_entries(rows),
            (Screen::Restore, Some(rows), _) => self.lists.set_snapshots(rows),
            (Screen::Intent, Some(rows), _) => self.earlier(&rows, "intent"),
            (Screen::Milestone, Some(rows), _) => self.earlier(&rows, "milestone"),
            _ => {}
        }
    }

    fn earlier(&mut self, rows: &Value, kind: &str) {
        let rows = rows.as_array().into_iter().flatten();
        let texts = rows.filter(|row| row["type"] == kind);
        let texts = texts.filter_map(|row| row["text"].as_str().map(str::to_owned));
        self.prompt.add_earlier(texts);
    }

    fn close(&mut self) -> Vec<Effect> {
        self.close_typed(false)
    }

    /// `typed`: a key went on to a shell.
    fn close_typed(&mut self, typed: bool) -> Vec<Effect> {
        let plugin = self.identity.plugin_id;
        self.close_at = None;
        let mut effects = Vec::new();
        if self.show.leader != 0 || self.granted {
            effects.extend(self.send(&ToLeader::Closing { plugin, typed }));
        }
        effects.push(Effect::CloseSelf);
        effects
    }

    // -- keys

    fn key(&mut self, now: Millis, key: &Key) -> Vec<Effect> {
        match self.show.screen {
            Screen::Menu => self.menu_key(now, key),
            Screen::Intent | Screen::Milestone => self.prompt_key(key),
            Screen::History | Screen::Restore => self.list_key(now, key),
            Screen::Banner => self.banner_key(now, key),
            Screen::Undo | Screen::Notice => self.close(),
        }
    }

    fn menu_key(&mut self, now: Millis, key: &Key) -> Vec<Effect> {
        let letter = key.text().map(|c| c.to_ascii_lowercase());
        match MENU.iter().find(|(c, _, _)| Some(*c) == letter) {
            Some((_, screen, _)) => self.enter(now, *screen),
            None => self.close(),
        }
    }

    fn prompt_key(&mut self, key: &Key) -> Vec<Effect> {
        if self.show.screen == Screen::Milestone && key.code == Code::Tab {
            self.kind = (self.kind + 1) % KINDS.len();
            return vec![Effect::Render];
        }
        match self.prompt.key(key) {
            Typed::Cancel => self.close(),
            Typed::Submit(text) => self.submit(text.trim()),
            Typed::Edited | Typed::Nothing => self.edited(),
        }
    }

    fn edited(&mut self) -> Vec<Effect> {
        if self.prompt.is_full() {
            let words = "the text is full: 10,000 characters are taken at most";
            self.message = (Style::Warning, words.into());
        } else if self.busy.is_none() {
            self.message.1.clear();
        }
        vec![Effect::Render]
    }

    fn submit(&mut self, text: &str) -> Vec<Effect> {
        if self.busy.is_some() {
            return vec![];
        }
        if text.is_empty() {
            self.message = (Style::Warning, "write something, or press Esc".into());
            return vec![Effect::Render];
        }
        self.message = (Style::Dim, "saving …".into());
        let pane = self.show.pane;
        let mut effects = if self.show.screen == Screen::Intent {
            self.ask("plugin.set_intent", json!({"text": text, "pane": pane}))
        } else {
            let kind = KINDS[self.kind];
            let params = json!({"text": text, "kind": kind, "pane": pane});
            self.ask("plugin.record_milestone", params)
        };
        effects.push(Effect::Render);
        effects
    }

    fn list_key(&mut self, now: Millis, key: &Key) -> Vec<Effect> {
        let height = size_of(&self.show).1.saturating_sub(4);
        let history = self.show.screen == Screen::History;
        match self.lists.key(key, history, height) {
            Picked::Moved => vec![Effect::Render],
            Picked::Close => self.close(),
            Picked::Restore(generation) => self.choose("restore", generation),
            Picked::Dismiss(generation) => self.choose("dismiss", generation),
            Picked::NotMine if history => {
                let before = self.prompt.text();
                if self.prompt.key(key) == Typed::Cancel {
                    return self.close();
                }
                self.filter(now, &before)
            }
            Picked::NotMine => vec![],
        }
    }

    fn filter(&mut self, now: Millis, before: &str) -> Vec<Effect> {
        if self.prompt.text() != before {
            self.lists.filter(&self.prompt.text());
            self.query_at = Some(now + 120);
        }
        vec![Effect::Render]
    }

    fn paste(&mut self, now: Millis, pasted: &str) -> Vec<Effect> {
        match self.show.screen {
            Screen::Intent | Screen::Milestone => {
                self.prompt.paste(pasted);
                self.edited()
            }
            Screen::History => {
                let before = self.prompt.text();
                self.prompt.paste(pasted);
                self.filter(now, &before)
            }
            Screen::Banner => self.pass_on(pasted.to_owned()),
            _ => vec![],
        }
    }

    /// The panel goes first: what Zellij restores must not find it.
    fn choose(&mut self, choice: &str, generation: u64) -> Vec<Effect> {
        let params = json!({"choice": choice, "generation": generation});
        let mut effects = self.ask("plugin.choose", params);
        effects.extend(self.close());
        effects
    }

    // -- banner

    fn banner_key(&mut self, now: Millis, key: &Key) -> Vec<Effect> {
        if let Some((held, _)) = self.held.take() {
            return self.pass_on(to_bytes(&held) + &to_bytes(key));
        }
        match (self.show.banner.keys.as_str(), key.code) {
            ("restore", Code::Enter) => self.choose("restore", 0),
            ("restore", Code::Char('l' | 'd')) | ("undo", Code::Char('u'))
                if key.text().is_some() =>
            {
                self.held = Some((*key, now + HOLD));
                vec![]
            }
            (_, Code::Esc) => self.close(),
            _ => self.pass_on(to_bytes(key)),
        }
    }

    fn banner_choice(&mut self, key: Key) -> Vec<Effect> {
        match key.code {
            Code::Char('d') => self.choose("dismiss", 0),
            Code::Char('l') => self.enter(0, Screen::Restore),
            Code::Char('u') => self.enter(0, Screen::Undo),
            _ => self.close(),
        }
    }

    /// The banner goes, and what was typed reaches the pane it was meant for.
    fn pass_on(&mut self, text: String) -> Vec<Effect> {
        let mut effects = self.close_typed(true);
        if let Some(terminal) = self.show.pane {
            effects.insert(0, Effect::WriteChars { terminal, text });
        }
        effects
    }

    // -- what is seen

    pub fn view(&self, now: Millis, rows: usize, columns: usize) -> Vec<Line> {
        let lines = match self.show.screen {
            Screen::Menu => self.menu_view(),
            Screen::Intent => self.prompt_view("Intent: what is this for?", columns),
            Screen::Milestone => self.prompt_view("Milestone: what is done?", columns),
            Screen::History => {
                self.lists
                    .history_view(now, &self.prompt, &self.message, rows, columns)
            }
            Screen::Restore => self.lists.restore_view(now, &self.message, rows, columns),
            Screen::Banner => self.banner_view(),
            Screen::Undo | Screen::Notice => self.notice_view(columns),
        };
        lines
            .into_iter()
            .take(rows)
            .map(|l| l.cut(columns))
            .collect()
    }

    fn menu_view(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = MENU
            .iter()
            .map(|(key, _, words)| {
                Line::new(Style::Accent, format!("  {key}  ")).with(Style::Plain, *words)
            })
            .collect();
        let (style, words) = &self.message;
        let hint = if words.is_empty() {
            "Esc closes"
        } else {
            words
        };
        let style = if words.is_empty() { Style::Dim } else { *style };
        lines.push(Line::default());
        lines.push(Line::new(style, format!("  {hint}")));
        lines
    }

    fn prompt_view(&self, title: &str, columns: usize) -> Vec<Line> {
        let (text, cursor) = self.prompt.view(columns.saturating_sub(2));
        let mut title = Line::new(Style::Bold, title);
        if self.show.screen == Screen::Milestone {
            title = title.with(Style::Dim, format!("  kind: {} (Tab)", KINDS[self.kind]));
        }
        let mut input = Line::new(Style::Accent, "> ").with(Style::Plain, text);
        input.cursor = Some(cursor + 2);
        let (style, words) = &self.message;
        let mut lines = vec![title, input];
        if words.is_empty() {
            lines.push(Line::default());
            lines.push(Line::new(
                Style::Dim,
                "Enter saves · Esc closes · Up and Down: earlier ones",
            ));
        } else {
            let wrapped = text::wrap(&text::clean(words), columns);
            lines.extend(wrapped.into_iter().map(|line| Line::new(*style, line)));
        }
        lines
    }

    fn banner_view(&self) -> Vec<Line> {
        let lines = self.show.banner.lines.iter().enumerate();
        let style = |row: usize| if row == 0 { Style::Bold } else { Style::Plain };
        lines
            .map(|(row, line)| Line::new(style(row), format!(" {line}")))
            .collect()
    }

    fn notice_view(&self, columns: usize) -> Vec<Line> {
        let (style, words) = &self.message;
        let lines = text::wrap(&text::clean(words), columns);
        let mut lines: Vec<Line> = lines.into_iter().map(|l| Line::new(*style, l)).collect();
        lines.push(Line::default());
        lines.push(Line::new(Style::Dim, "any key closes"));
        lines
    }
}

/// An UndoReport in words.
fn undone(report: &Value) -> String {
    let closed = report["closed"].as_u64().unwrap_or(0);
    let kept: Vec<&str> = report["kept"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let panes = if closed == 1 { "pane" } else { "panes" };
    if kept.is_empty() {
        return format!("{closed} {panes} closed");
    }
    format!("{closed} {panes} closed; kept: {}", kept.join(", "))
}
