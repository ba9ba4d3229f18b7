//! What each screen shows.

use super::{Panel, KINDS, MENU};
use crate::effect::Millis;
use crate::inside::Screen;
use crate::text;
use crate::view::{Line, Style};

impl Panel {
    pub fn view(&self, now: Millis, rows: usize, columns: usize) -> Vec<Line> {
        let lines = match self.show.screen {
            Screen::Menu => self.menu_view(),
            Screen::Intent => self.prompt_view("Intent: what is this for?", columns),
            Screen::Milestone => self.prompt_view("Milestone: what is done?", columns),
            Screen::New => self.prompt_view("New worktree: a type and a name", columns),
            Screen::Go => self
                .trees
                .view(now, &self.prompt, &self.message, rows, columns),
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

    pub(super) fn menu_view(&self) -> Vec<Line> {
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

    pub(super) fn prompt_view(&self, title: &str, columns: usize) -> Vec<Line> {
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
            let (above, hint) = match self.show.screen {
                Screen::New => (
                    self.types_view(),
                    "Enter makes it and opens its tab · Esc closes",
                ),
                _ => (
                    Line::default(),
                    "Enter saves · Esc closes · Up and Down: earlier ones",
                ),
            };
            lines.push(above);
            lines.push(Line::new(Style::Dim, hint));
        } else {
            let wrapped = text::wrap(&text::clean(words), columns);
            lines.extend(wrapped.into_iter().map(|line| Line::new(*style, line)));
        }
        lines
    }

    fn types_view(&self) -> Line {
        match self.trees.types() {
            [] => Line::new(Style::Dim, "as in: feat user auth"),
            types => {
                let types = text::clean(&types.join(", "));
                Line::new(
                    Style::Dim,
                    format!("as in: feat user auth · types: {types}"),
                )
            }
        }
    }

    pub(super) fn banner_view(&self) -> Vec<Line> {
        let lines = self.show.banner.lines.iter().enumerate();
        let style = |row: usize| if row == 0 { Style::Bold } else { Style::Plain };
        lines
            .map(|(row, line)| Line::new(style(row), format!(" {line}")))
            .collect()
    }

    pub(super) fn notice_view(&self, columns: usize) -> Vec<Line> {
        let (style, words) = &self.message;
        let lines = text::wrap(&text::clean(words), columns);
        let mut lines: Vec<Line> = lines.into_iter().map(|l| Line::new(*style, l)).collect();
        lines.push(Line::default());
        lines.push(Line::new(Style::Dim, "any key closes"));
        lines
    }
}
