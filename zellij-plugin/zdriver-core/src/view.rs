//! Styled lines, and how they are written to a terminal.

use std::fmt::Write;

use crate::text;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    Bold,
    Dim,
    /// Keys, and what is chosen.
    Accent,
    Good,
    Warning,
    Reverse,
}

impl Style {
    /// SGR parameters from the terminal's own sixteen colours, so that every theme fits.
    fn sgr(self) -> &'static str {
        match self {
            Style::Plain => "0",
            Style::Bold => "0;1",
            Style::Dim => "0;2",
            Style::Accent => "0;36;1",
            Style::Good => "0;32",
            Style::Warning => "0;33",
            Style::Reverse => "0;7",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    pub spans: Vec<(Style, String)>,
    /// Cell of the cursor in this line.
    pub cursor: Option<usize>,
}

impl Line {
    pub fn new(style: Style, text: impl Into<String>) -> Self {
        Self::default().with(style, text)
    }

    #[must_use]
    pub fn with(mut self, style: Style, text: impl Into<String>) -> Self {
        self.spans.push((style, text.into()));
        self
    }

    /// All of it without styles.
    pub fn text(&self) -> String {
        self.spans.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// At most `cells` wide.
    #[must_use]
    pub fn cut(self, cells: usize) -> Self {
        if text::width(&self.text()) <= cells {
            return self;
        }
        let mut left = cells;
        let mut spans = Vec::new();
        for (style, part) in self.spans {
            let wide = text::width(&part);
            if wide < left {
                left -= wide;
                spans.push((style, part));
                continue;
            }
            // one cell more than is left, so that the mark of the cut is put in
            let part = text::cut(&format!("{part}xx"), left);
            spans.push((style, part));
            break;
        }
        Self {
            spans,
            cursor: self.cursor,
        }
    }
}

/// The bytes that draw `lines` on a cleared pane; a reversed cell is the cursor.
pub fn render(lines: &[Line], rows: usize, columns: usize) -> String {
    // what a larger pane has scrolled out would show as a scroll mark in the frame
    let mut out = String::from("\x1b[3J");
    for (row, line) in lines.iter().take(rows).enumerate() {
        let _ = write!(out, "\x1b[{};1H\x1b[0m\x1b[2K", row + 1);
        for (style, part) in &line.clone().cut(columns).spans {
            let _ = write!(out, "\x1b[{}m{}", style.sgr(), text::clean(part));
        }
        out.push_str("\x1b[0m");
    }
    for row in lines.len()..rows {
        let _ = write!(out, "\x1b[{};1H\x1b[2K", row + 1);
    }
    out
}

/// Where the terminal's cursor goes: column and row.
pub fn cursor(lines: &[Line]) -> Option<(usize, usize)> {
    let mut rows = lines.iter().enumerate();
    rows.find_map(|(row, line)| line.cursor.map(|column| (column, row)))
}

/// What the background instance shows when it may do nothing.
pub fn permissions(rows: usize, columns: usize) -> Vec<Line> {
    let words = "zdriver may not see this Zellij session: its permissions were refused or lost. \
                 Press Enter, then y when Zellij asks; or Esc to go on without. Until then nothing \
                 is remembered; everything else works as always.";
    let lines = text::wrap(words, columns);
    lines
        .into_iter()
        .take(rows)
        .map(|line| Line::new(Style::Warning, line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_line_fits() {
        let line = Line::new(Style::Bold, "intent").with(Style::Dim, " · 日本語 milestone");
        for cells in 0..40 {
            let short = line.clone().cut(cells);
            assert!(
                text::width(&short.text()) <= cells,
                "{cells} {:?}",
                short.text()
            );
        }
        assert_eq!(line.clone().cut(6).text(), "inten…");
        assert_eq!(line.clone().cut(80), line);
    }

    #[test]
    fn hostile_text_moves_no_cursor() {
        let out = render(&[Line::new(Style::Plain, "a\x1b[2Jb")], 1, 20);
        assert!(!out.contains("\x1b[2J"));
        assert!(out.contains("a [2Jb"));
    }

    #[test]
    fn rows_that_are_left_are_cleared() {
        let out = render(&[Line::new(Style::Plain, "x")], 3, 10);
        assert!(out.contains("\x1b[2;1H\x1b[2K"));
        assert!(out.contains("\x1b[3;1H\x1b[2K"));
        assert!(!render(&[Line::default(), Line::default()], 1, 10).contains("\x1b[2;1H"));
    }

    #[test]
    fn the_cursor_is_found() {
        let mut line = Line::new(Style::Plain, "x");
        line.cursor = Some(4);
        assert_eq!(cursor(&[Line::default(), line]), Some((4, 1)));
        assert_eq!(cursor(&[Line::default()]), None);
    }

    #[test]
    fn words_about_permissions_fit_small_panes() {
        for (rows, columns) in [(0, 0), (1, 1), (3, 20), (20, 80)] {
            let lines = permissions(rows, columns);
            assert!(lines.len() <= rows);
        }
        assert!(permissions(10, 60)
            .iter()
            .any(|l| l.text().contains("Press")));
    }
}
