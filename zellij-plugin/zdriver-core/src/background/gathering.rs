//! Collecting a whole state of the Zellij session, and sending it.

use super::{Background, Gathering};
use crate::effect::{Effect, Millis};

impl Background {
    pub(super) fn gather(&mut self, now: Millis) -> Vec<Effect> {
        let needs = self.capture.needs(now);
        let asked_by = std::mem::take(&mut self.capture_asked);
        let gathering = Gathering {
            pids: needs.pids.len(),
            wants_layout: needs.layout || !asked_by.is_empty(),
            layout: None,
            asked_by,
        };
        let mut effects: Vec<Effect> = needs.pids.into_iter().map(Effect::AskPid).collect();
        if gathering.wants_layout {
            effects.push(Effect::DumpLayout);
        }
        self.gathering = Some(gathering);
        effects.extend(self.gathered());
        effects
    }

    pub(super) fn pid(&mut self, terminal: u32, pid: Option<i32>) -> Vec<Effect> {
        self.capture.set_pid(terminal, pid);
        if let Some(gathering) = &mut self.gathering {
            gathering.pids = gathering.pids.saturating_sub(1);
        }
        self.gathered()
    }

    pub(super) fn dumped(&mut self, now: Millis, layout: Result<String, String>) -> Vec<Effect> {
        let Some(gathering) = &mut self.gathering else {
            return vec![];
        };
        gathering.wants_layout = false;
        let mut effects = Vec::new();
        match layout {
            Ok(layout) => {
                self.capture.dumped(now, &layout);
                gathering.layout = Some(layout);
            }
            Err(why) => {
                self.capture.dump_failed(now);
                effects.push(Effect::Log(format!("no layout: {why}")));
            }
        }
        effects.extend(self.gathered());
        effects
    }

    /// Sends the state once all of it is there.
    pub(super) fn gathered(&mut self) -> Vec<Effect> {
        let whole = |g: &Gathering| g.pids == 0 && !g.wants_layout;
        let Some(gathering) = self.gathering.take_if(|g| whole(g)) else {
            return vec![];
        };
        let mut effects = Vec::new();
        for id in &gathering.asked_by {
            let state = self.capture.state(gathering.layout.clone());
            effects.extend(self.reply(id, Ok(serde_json::to_value(state).unwrap_or_default())));
        }
        if let Some(state) = self.capture.next_state(gathering.layout) {
            effects.extend(self.notify("plugin.state", &state));
        }
        effects
    }

    pub(super) fn manifest(&mut self, now: Millis) -> Vec<Effect> {
        let mut effects = self.tell_status();
        effects.extend(self.look(now));
        effects.extend(self.offer(now));
        effects
    }
}
