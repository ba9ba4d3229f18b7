//! The status line: worktree, holder, intent, last milestone, age; one row in a layout.
//!
//! It needs no permission: the background instance tells it what to show.

use crate::effect::{Effect, Event, Millis};
use crate::inside::{ToStatus, TO_STATUS};
use crate::protocol::TabStatus;
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
            if told.tab.intent.is_empty() && told.tab.worktree.is_empty() {
                return line.cut(columns);
            }
            line = line.with(Style::Dim, "· ");
        }
        let room = columns.saturating_sub(text::width(&line.text()));
        for part in Parts::of(&told.tab, now).fitted(room) {
            line.spans.extend(part.spans);
        }
        line.cut(columns)
    }
}

/// What the line says, in cells that it would like to have.
struct Parts {
    worktree: String,
    holder: String,
    until: String,
    intent: String,
    milestone: String,
    age: String,
}

const NO_INTENT: &str = "no intent · Alt m i";
const BETWEEN: usize = 3;
/// A name gets a third of the line, and this much where that is less.
const NAME_LEAST: usize = 20;
/// Cells below which a text says too little: then something else goes first.
const INTENT_LEAST: usize = 20;
const MILESTONE_LEAST: usize = 14;

impl Parts {
    fn of(tab: &TabStatus, now: Millis) -> Self {
        let newest = tab.milestone_at.as_deref();
        let newest = newest.filter(|_| !tab.milestone.is_empty());
        let until = text::until(tab.held_until.as_deref(), now);
        let held = !tab.holder.is_empty() && until.is_some();
        let holder = if held {
            format!("held by {}", text::clean(&tab.holder))
        } else {
            String::new()
        };
        let intent = text::clean(&tab.intent);
        Self {
            worktree: text::clean(&tab.worktree),
            until: until.filter(|_| held).unwrap_or_default(),
            holder,
            milestone: match intent.is_empty() {
                true => String::new(),
                false => text::clean(&tab.milestone),
            },
            age: match intent.is_empty() {
                true => String::new(),
                false => text::ago(newest.or(tab.intent_at.as_deref()), now),
            },
            intent,
        }
    }

    /// The least important goes first: until when, the age, the milestone, the holder, the worktree.
    fn fitted(mut self, room: usize) -> Vec<Line> {
        for name in [&mut self.worktree, &mut self.holder] {
            *name = text::cut(name, (room / 3).max(NAME_LEAST));
        }
        for drop in [
            |_: &mut Self| (),
            |parts: &mut Self| parts.until.clear(),
            |parts: &mut Self| parts.age.clear(),
            |parts: &mut Self| parts.milestone.clear(),
            |parts: &mut Self| parts.holder.clear(),
            |parts: &mut Self| parts.worktree.clear(),
        ] {
            drop(&mut self);
            if self.fixed() + self.least() <= room {
                break;
            }
        }
        self.lines(room)
    }

    fn held(&self) -> String {
        match (self.holder.is_empty(), self.until.is_empty()) {
            (true, _) => String::new(),
            (false, true) => self.holder.clone(),
            (false, false) => format!("{} until {}", self.holder, self.until),
        }
    }

    /// Cells of what is never cut, and of what stands between the parts.
    fn fixed(&self) -> usize {
        let fixed = [&self.worktree, &self.held(), &self.age];
        let beside = fixed.iter().filter(|part| !part.is_empty()).count()
            + usize::from(!self.milestone.is_empty());
        fixed.iter().map(|part| text::width(part)).sum::<usize>() + beside * BETWEEN
    }

    fn least(&self) -> usize {
        let intent = match self.intent.is_empty() {
            true => text::width(NO_INTENT),
            false => text::width(&self.intent).min(INTENT_LEAST),
        };
        intent + text::width(&self.milestone).min(MILESTONE_LEAST)
    }

    /// Intent and milestone get a fair share of the cells that are left.
    fn lines(&self, room: usize) -> Vec<Line> {
        let room = room.saturating_sub(self.fixed());
        let wanted = (text::width(&self.intent), text::width(&self.milestone));
        let of_milestone = wanted
            .1
            .min(room.saturating_sub(wanted.0).max(room * 2 / 5));
        let intent = text::cut(&self.intent, room.saturating_sub(of_milestone));
        let (of_intent, intent) = match self.intent.is_empty() {
            true => (Style::Dim, NO_INTENT.to_owned()),
            false => (Style::Bold, intent),
        };
        let parts = [
            (Style::Accent, self.worktree.clone()),
            (Style::Warning, self.held()),
            (of_intent, intent),
            (Style::Good, text::cut(&self.milestone, of_milestone)),
            (Style::Dim, self.age.clone()),
        ];
        let shown = parts.into_iter().filter(|(_, part)| !part.is_empty());
        shown
            .enumerate()
            .map(|(at, (style, part))| match at {
                0 => Line::new(style, part),
                _ => Line::new(Style::Dim, " · ").with(style, part),
            })
            .collect()
    }
}
