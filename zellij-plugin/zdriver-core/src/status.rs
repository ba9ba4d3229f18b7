//! The status line: intent, last milestone, age; one row in a layout.
//!
//! It needs no permission: the background instance tells it what to show.

use crate::effect::{Effect, Event, Millis};
use crate::inside::{ToStatus, TO_STATUS};
use crate::text;
use crate::view::{Line, Style};

/// Ages are in minutes.
const REDRAW: Millis = 30_000;
/// The background instance speaks up much sooner than this.
const PATIENCE: Millis = 4_000;

#[derive(Debug, Default)]
pub struct StatusLine {
    told: Option<ToStatus>,
    loaded: Millis,
    redraw_at: Millis,
}

impl StatusLine {
    pub fn load(&mut self, now: Millis) -> Vec<Effect> {
        self.loaded = now;
        self.redraw_at = now + PATIENCE;
        vec![Effect::Unselectable]
    }

    pub fn update(&mut self, now: Millis, event: Event) -> Vec<Effect> {
        match event {
            Event::Pipe {
                name,
                payload: Some(text),
                ..
            } if name == TO_STATUS => {
                match serde_json::from_str(&text) {
                    Ok(told) => self.told = Some(told),
                    Err(error) => return vec![Effect::Log(format!("status: {error}"))],
                }
                vec![Effect::Render]
            }
            Event::Timer if now >= self.redraw_at => {
                self.redraw_at = now + REDRAW;
                vec![Effect::Render]
            }
            _ => vec![],
        }
    }

    pub fn due_at(&self) -> Option<Millis> {
        Some(self.redraw_at)
    }

    pub fn view(&self, now: Millis, columns: usize) -> Line {
        let Some(told) = &self.told else {
            let late = now >= self.loaded + PATIENCE;
            let words = if late {
                " zdriver is not connected · Alt m"
            } else {
                ""
            };
            return Line::new(Style::Dim, words).cut(columns);
        };
        let mut line = Line::new(Style::Plain, " ");
        if !told.warning.is_empty() {
            line = line.with(Style::Warning, format!("! {} ", text::clean(&told.warning)));
            if told.tab.intent.is_empty() {
                return line.cut(columns);
            }
            line = line.with(Style::Dim, "· ");
        }
        if told.tab.intent.is_empty() {
            return line.with(Style::Dim, "no intent · Alt m i").cut(columns);
        }
        self.summary(now, told, line, columns)
    }

    /// `intent · last milestone · age`, both texts getting a fair share of the cells.
    fn summary(&self, now: Millis, told: &ToStatus, line: Line, columns: usize) -> Line {
        let tab = &told.tab;
        let newest = tab
            .milestone_at
            .as_deref()
            .filter(|_| !tab.milestone.is_empty());
        let age = text::ago(newest.or(tab.intent_at.as_deref()), now);
        let intent = text::clean(&tab.intent);
        let milestone = text::clean(&tab.milestone);
        let used = text::width(&line.text());
        let tail = if age.is_empty() {
            0
        } else {
            text::width(&age) + 3
        };
        let between = if milestone.is_empty() { 0 } else { 3 };
        let room = columns.saturating_sub(used + tail + between);
        let wanted = (text::width(&intent), text::width(&milestone));
        let of_milestone = wanted
            .1
            .min(room.saturating_sub(wanted.0).max(room * 2 / 5));
        let mut line = line.with(
            Style::Bold,
            text::cut(&intent, room.saturating_sub(of_milestone)),
        );
        if !milestone.is_empty() && of_milestone > 0 {
            line = line.with(Style::Dim, " · ");
            line = line.with(Style::Good, text::cut(&milestone, of_milestone));
        }
        if !age.is_empty() {
            line = line.with(Style::Dim, format!(" · {age}"));
        }
        line.cut(columns)
    }
}
