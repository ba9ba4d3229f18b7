//! One plugin instance: the background one, its panel, or a status line.

use crate::background::Background;
use crate::effect::{Effect, Event, Millis};
use crate::panel::Panel;
use crate::status::StatusLine;
use crate::view::Line;

#[derive(Debug, Default)]
pub struct State {
    role: Role,
    /// The earliest timer that is set in Zellij.
    armed: Option<Millis>,
}

#[derive(Debug, Default)]
enum Role {
    #[default]
    Unborn,
    Background(Box<Background>),
    Panel(Box<Panel>),
    Status(Box<StatusLine>),
}

impl State {
    /// Takes in what happened at `now`, and says what is to be done about it.
    pub fn update(&mut self, now: Millis, event: Event) -> Vec<Effect> {
        if event == Event::Timer {
            self.armed = None;
        }
        let mut effects = match (&mut self.role, event) {
            (
                role,
                Event::Load {
                    configuration,
                    identity,
                },
            ) => {
                *role = match configuration.get("view").map(String::as_str) {
                    Some("status") => Role::Status(Box::default()),
                    Some("panel") => Role::Panel(Box::new(Panel::new(now, identity))),
                    _ => Role::Background(Box::new(Background::new(identity, &configuration))),
                };
                match role {
                    Role::Status(status) => status.load(now),
                    _ => vec![Effect::RequestPermissions],
                }
            }
            (Role::Background(background), event) => background.update(now, event),
            (Role::Panel(panel), event) => panel.update(now, event),
            (Role::Status(status), event) => status.update(now, event),
            (Role::Unborn, _) => vec![],
        };
        effects.extend(self.arm(now));
        effects
    }

    /// What the instance shows in so many cells.
    pub fn view(&self, now: Millis, rows: usize, columns: usize) -> Vec<Line> {
        match &self.role {
            Role::Unborn => vec![],
            Role::Background(background) => background.view(rows, columns),
            Role::Panel(panel) => panel.view(now, rows, columns),
            Role::Status(status) => vec![status.view(now, columns)],
        }
    }

    fn due_at(&self) -> Option<Millis> {
        match &self.role {
            Role::Unborn => None,
            Role::Background(background) => background.due_at(),
            Role::Panel(panel) => panel.due_at(),
            Role::Status(status) => status.due_at(),
        }
    }

    /// Zellij's timers cannot be taken back, so one is set only when it is earlier than all others.
    fn arm(&mut self, now: Millis) -> Option<Effect> {
        let due = self.due_at()?;
        if self.armed.is_some_and(|armed| armed <= due) {
            return None;
        }
        self.armed = Some(due);
        Some(Effect::SetTimer(due.saturating_sub(now)))
    }
}
