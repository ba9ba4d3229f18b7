//! The list of a repository's worktrees: filtered as one types, and one of them chosen.

use serde::Deserialize;
use serde_json::Value;

use crate::effect::Millis;
use crate::keys::{Code, Key};
use crate::list::List;
use crate::prompt::Prompt;
use crate::text;
use crate::view::{Line, Style};

/// The daemon's answer to `plugin.worktrees`, as far as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Trees {
    pub repo: String,
    pub rows: Vec<Tree>,
    pub types: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Tree {
    pub name: String,
    pub branch: String,
    pub path: String,
    pub intent: String,
    pub holder: String,
    pub held_until: Option<String>,
    pub current: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picked {
    Moved,
    Close,
    Open { path: String, name: String },
    NotMine,
}

#[derive(Debug, Default)]
pub struct TreeList {
    trees: Trees,
    loaded: bool,
    filter: String,
    list: List,
}

const HINT: &str = "type to filter · Up, Down · Enter goes to its tab · Esc closes";

impl TreeList {
    /// What is not understood is an empty list.
    pub fn set(&mut self, answer: Value) {
        self.trees = serde_json::from_value(answer).unwrap_or_default();
        self.loaded = true;
    }

    pub fn types(&self) -> &[String] {
        &self.trees.types
    }

    pub fn filter(&mut self, words: &str) {
        self.filter = words.to_lowercase();
        self.list.reset();
    }

    fn shown(&self) -> Vec<&Tree> {
        let words: Vec<&str> = self.filter.split_whitespace().collect();
        let fits = |tree: &&Tree| {
            let text = format!(
                "{} {} {} {}",
                tree.name, tree.branch, tree.holder, tree.intent
            );
            let text = text.to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        self.trees.rows.iter().filter(fits).collect()
    }

    /// `height`: rows of the list that are seen.
    pub fn key(&mut self, key: &Key, height: usize) -> Picked {
        let length = self.shown().len();
        // Home and End move in the text while one is written
        let in_text = !self.filter.is_empty() && matches!(key.code, Code::Home | Code::End);
        if !in_text && self.list.key(key, length, height) {
            return Picked::Moved;
        }
        match key.code {
            Code::Esc => Picked::Close,
            Code::Enter => match self.shown().get(self.list.chosen) {
                Some(tree) => Picked::Open {
                    path: tree.path.clone(),
                    name: tree.name.clone(),
                },
                None => Picked::Moved,
            },
            _ => Picked::NotMine,
        }
    }

    pub fn view(
        &self,
        now: Millis,
        prompt: &Prompt,
        message: &(Style, String),
        rows: usize,
        columns: usize,
    ) -> Vec<Line> {
        let shown = self.shown();
        let (words, cursor) = prompt.view(columns.saturating_sub(7));
        let mut input = Line::new(Style::Accent, "go to ").with(Style::Plain, words);
        input.cursor = Some(cursor + 6);
        let mut lines = vec![input];
        let widths = Widths::of(&shown, columns);
        for row in self.list.clone().seen(shown.len(), rows.saturating_sub(2)) {
            lines.push(widths.line(shown[row], now, row == self.list.chosen));
        }
        if shown.is_empty() {
            let words = match (message.1.is_empty(), self.loaded) {
                (false, _) => "",
                (true, false) => "looking …",
                (true, true) => "nothing fits",
            };
            lines.push(Line::new(Style::Dim, format!("  {words}")));
        }
        lines.resize(rows.saturating_sub(1).max(1), Line::default());
        lines.push(match message.1.is_empty() {
            true => Line::new(Style::Dim, HINT),
            false => Line::new(message.0, text::clean(&message.1)),
        });
        lines
    }
}

/// Cells of the columns; one that has nothing to show takes none.
struct Widths {
    name: usize,
    branch: usize,
    holder: usize,
    intent: usize,
}

/// The pointer, and the mark of the worktree one stands in.
const MARKS: usize = 4;
const GAP: usize = 2;

impl Widths {
    fn of(shown: &[&Tree], columns: usize) -> Self {
        let widest = |part: fn(&Tree) -> &str, most: usize| {
            let cells = shown.iter().map(|tree| text::width(part(tree)));
            cells.max().unwrap_or(0).min(most)
        };
        let name = widest(|tree| &tree.name, columns * 2 / 5);
        let branch = widest(other_branch, columns / 5);
        let holder = widest(|tree| &tree.holder, columns / 5);
        let used: usize = [name, branch, holder]
            .iter()
            .filter(|cells| **cells > 0)
            .map(|cells| cells + GAP)
            .sum();
        Self {
            name,
            branch,
            holder,
            intent: columns.saturating_sub(MARKS + used),
        }
    }

    fn line(&self, tree: &Tree, now: Millis, chosen: bool) -> Line {
        let (style, arrow) = if chosen {
            (Style::Accent, "> ")
        } else {
            (Style::Plain, "  ")
        };
        let of_name = if chosen { Style::Bold } else { Style::Plain };
        let live = text::until(tree.held_until.as_deref(), now).is_some();
        let holder = if live { tree.holder.as_str() } else { "" };
        Line::new(style, arrow)
            .with(Style::Good, if tree.current { "* " } else { "  " })
            .with(of_name, cell(&tree.name, self.name))
            .with(Style::Dim, cell(other_branch(tree), self.branch))
            .with(Style::Warning, cell(holder, self.holder))
            .with(
                Style::Dim,
                text::cut(&text::clean(&tree.intent), self.intent),
            )
    }
}

/// The branch where it is called otherwise than the worktree: else it would say the same twice.
fn other_branch(tree: &Tree) -> &str {
    if tree.branch == tree.name {
        ""
    } else {
        &tree.branch
    }
}

/// A column's text, filled up, and the gap behind it.
fn cell(part: &str, cells: usize) -> String {
    if cells == 0 {
        return String::new();
    }
    let part = text::cut(&text::clean(part), cells);
    let fill = cells + GAP - text::width(&part);
    part + &" ".repeat(fill)
}
