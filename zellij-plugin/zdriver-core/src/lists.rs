//! The history and the restore list: rows from the daemon, filtered, scrolled, looked into.

use serde::Deserialize;
use serde_json::Value;

use crate::effect::Millis;
use crate::keys::{Code, Key};
use crate::list::List;
use crate::prompt::Prompt;
use crate::text;
use crate::view::{Line, Style};

/// A line of history, as far as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Entry {
    #[serde(rename = "type")]
    pub is: String,
    pub text: String,
    pub kind: Option<String>,
    pub artifacts: Vec<String>,
    pub commit: Option<String>,
    pub at: String,
    pub source: String,
    pub context: Context,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Context {
    pub zellij_session: String,
    pub root: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    pub generation: u64,
    pub zellij_session: String,
    pub root: String,
    pub taken_at: String,
    pub reason: String,
    pub tabs: usize,
    pub panes: usize,
    pub pinned: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picked {
    Moved,
    Close,
    Restore(u64),
    Dismiss(u64),
    NotMine,
}

#[derive(Debug, Default)]
pub struct Lists {
    entries: Vec<Entry>,
    snapshots: Vec<Snapshot>,
    loaded: bool,
    /// The query that `entries` answers, and the one being asked.
    answers: String,
    asking: String,
    filter: String,
    list: List,
    details: bool,
}

impl Lists {
    pub fn asking(&mut self, query: &str) {
        query.clone_into(&mut self.asking);
    }

    pub fn set_entries(&mut self, rows: Value) {
        self.entries = parse_rows(rows);
        self.answers.clone_from(&self.asking);
        self.loaded = true;
    }

    pub fn set_snapshots(&mut self, rows: Value) {
        self.snapshots = parse_rows(rows);
        self.loaded = true;
    }

    /// The user typed: what is there is filtered at once, the daemon's answer follows.
    pub fn filter(&mut self, words: &str) {
        words.clone_into(&mut self.filter);
        self.details = false;
        self.list.reset();
    }

    fn shown(&self) -> Vec<&Entry> {
        if self.answers == self.filter {
            return self.entries.iter().collect();
        }
        let words: Vec<String> = self
            .filter
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        let fits = |entry: &&Entry| {
            let text = entry.text.to_lowercase();
            words.iter().all(|word| text.contains(word.as_str()))
        };
        self.entries.iter().filter(fits).collect()
    }

    pub fn key(&mut self, key: &Key, history: bool, height: usize) -> Picked {
        if self.details {
            self.details = false;
            return Picked::Moved;
        }
        let length = if history {
            self.shown().len()
        } else {
            self.snapshots.len()
        };
        // Home and End move in the text while one is written
        let in_text =
            history && !self.filter.is_empty() && matches!(key.code, Code::Home | Code::End);
        if !in_text && self.list.key(key, length, height) {
            return Picked::Moved;
        }
        let chosen = self.snapshots.get(self.list.chosen).map(|s| s.generation);
        match (key.code, history, chosen) {
            (Code::Esc, _, _) => Picked::Close,
            (Code::Enter, true, _) => {
                self.details = length > 0;
                Picked::Moved
            }
            (Code::Enter, false, Some(generation)) => Picked::Restore(generation),
            (Code::Char('d'), false, Some(generation)) => Picked::Dismiss(generation),
            (Code::Char('q'), false, _) => Picked::Close,
            (Code::Char('c'), false, _) if key.ctrl => Picked::Close,
            _ => Picked::NotMine,
        }
    }

    pub fn history_view(
        &self,
        now: Millis,
        prompt: &Prompt,
        message: &(Style, String),
        rows: usize,
        columns: usize,
    ) -> Vec<Line> {
        let shown = self.shown();
        if let Some(entry) = shown.get(self.list.chosen).filter(|_| self.details) {
            return details(entry, now, columns);
        }
        let (words, cursor) = prompt.view(columns.saturating_sub(9));
        let mut input = Line::new(Style::Accent, "history ").with(Style::Plain, words);
        input.cursor = Some(cursor + 8);
        let height = rows.saturating_sub(2);
        let empty = match (self.loaded, self.filter.is_empty()) {
            (false, _) => "looking …",
            (true, true) => "nothing yet: Alt m i sets an intent",
            (true, false) => "nothing fits",
        };
        let mut lines = vec![input];
        let seen = self.list.clone().seen(shown.len(), height);
        for row in seen {
            lines.push(entry_line(
                shown[row],
                now,
                columns,
                row == self.list.chosen,
            ));
        }
        finish(
            lines,
            shown.is_empty().then_some(empty),
            message,
            rows,
            HISTORY_HINT,
        )
    }

    pub fn restore_view(
        &self,
        now: Millis,
        message: &(Style, String),
        rows: usize,
        columns: usize,
    ) -> Vec<Line> {
        let height = rows.saturating_sub(2);
        let mut lines = vec![Line::new(Style::Bold, "Restore: which state of the panes?")];
        let seen = self.list.clone().seen(self.snapshots.len(), height);
        for row in seen {
            let chosen = row == self.list.chosen;
            lines.push(snapshot_line(&self.snapshots[row], now, columns, chosen));
        }
        let empty = if self.loaded {
            "nothing to restore yet"
        } else {
            "looking …"
        };
        let empty = self.snapshots.is_empty().then_some(empty);
        finish(lines, empty, message, rows, RESTORE_HINT)
    }
}

const HISTORY_HINT: &str = "type to filter · Up, Down · Enter details · Esc closes";
const RESTORE_HINT: &str = "Enter restores · d dismisses · Esc closes";

fn parse_rows<T: serde::de::DeserializeOwned>(rows: Value) -> Vec<T> {
    let Value::Array(rows) = rows else {
        return vec![];
    };
    rows.into_iter()
        .filter_map(|row| serde_json::from_value(row).ok())
        .collect()
}

/// Fills up to the last row, where the message or the hint stands.
fn finish(
    mut lines: Vec<Line>,
    empty: Option<&str>,
    message: &(Style, String),
    rows: usize,
    hint: &str,
) -> Vec<Line> {
    if let Some(words) = empty {
        lines.push(Line::new(Style::Dim, format!("  {words}")));
    }
    lines.resize(rows.saturating_sub(1).max(1), Line::default());
    lines.push(match message.1.is_empty() {
        true => Line::new(Style::Dim, hint),
        false => Line::new(message.0, message.1.clone()),
    });
    lines
}

fn pointer(chosen: bool) -> (Style, &'static str) {
    if chosen {
        (Style::Accent, "> ")
    } else {
        (Style::Plain, "  ")
    }
}

/// Each kind has its mark and its colour.
fn mark(entry: &Entry) -> (Style, &'static str) {
    match (entry.is.as_str(), entry.kind.as_deref()) {
        ("intent", _) => (Style::Accent, "◆ "),
        (_, Some("checkpoint")) => (Style::Warning, "■ "),
        (_, Some("exploration")) => (Style::Dim, "○ "),
        _ => (Style::Good, "● "),
    }
}

fn entry_line(entry: &Entry, now: Millis, columns: usize, chosen: bool) -> Line {
    let (style, arrow) = pointer(chosen);
    let (colour, sign) = mark(entry);
    let age = text::ago(Some(&entry.at), now);
    let room = columns.saturating_sub(4 + 8);
    let words = text::cut(&text::clean(&entry.text), room);
    let of_text = if chosen { Style::Bold } else { Style::Plain };
    Line::new(style, arrow)
        .with(Style::Dim, format!("{age:>7} "))
        .with(colour, sign)
        .with(of_text, words)
}

fn snapshot_line(snapshot: &Snapshot, now: Millis, columns: usize, chosen: bool) -> Line {
    let (style, arrow) = pointer(chosen);
    let age = text::ago(Some(&snapshot.taken_at), now);
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let size = format!(
        "{}, {}",
        count(snapshot.tabs, "tab"),
        count(snapshot.panes, "pane")
    );
    let pin = if snapshot.pinned { " pinned" } else { "" };
    let tail = format!("{} · {}{pin}", snapshot.root, snapshot.reason);
    let of_text = if chosen { Style::Bold } else { Style::Plain };
    Line::new(style, arrow)
        .with(Style::Dim, format!("{age:>7} "))
        .with(
            of_text,
            format!(
                "{:<18} ",
                text::cut(&text::clean(&snapshot.zellij_session), 18)
            ),
        )
        .with(Style::Good, format!("{size:<18} "))
        .with(
            Style::Dim,
            text::cut(&text::clean(&tail), columns.saturating_sub(48)),
        )
}

fn details(entry: &Entry, now: Millis, columns: usize) -> Vec<Line> {
    let (colour, sign) = mark(entry);
    let kind = entry.kind.as_deref().unwrap_or(&entry.is);
    let mut lines = vec![Line::new(colour, sign)
        .with(Style::Bold, text::clean(kind))
        .with(
            Style::Dim,
            format!(" · {} · {}", entry.at, text::ago(Some(&entry.at), now)),
        )];
    lines.push(Line::default());
    let words = text::wrap(&text::clean(&entry.text), columns);
    lines.extend(words.into_iter().map(|line| Line::new(Style::Plain, line)));
    lines.push(Line::default());
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(Line::new(Style::Dim, format!("{name:<15}")).with(Style::Plain, value));
        }
    };
    fact("folder", &entry.context.root);
    fact("Zellij session", &entry.context.zellij_session);
    fact("commit", entry.commit.as_deref().unwrap_or_default());
    fact("artifacts", &entry.artifacts.join(", "));
    fact("written by", &entry.source);
    lines.push(Line::default());
    lines.push(Line::new(Style::Dim, "any key goes back"));
    lines
}
