//! What keys do on each screen.

use serde_json::json;

use super::{size_of, Leaving, Panel, HOLD, KINDS, LINGER, MENU, PAUSE};
use crate::effect::{Effect, Millis};
use crate::inside::Screen;
use crate::keys::{to_bytes, Code, Key};
use crate::lists::Picked;
use crate::prompt::Typed;
use crate::trees;
use crate::view::Style;

impl Panel {
    pub(super) fn key(&mut self, now: Millis, key: &Key) -> Vec<Effect> {
        match self.show.screen {
            Screen::Menu => self.menu_key(now, key),
            Screen::Intent | Screen::Milestone | Screen::New => self.prompt_key(key),
            Screen::Go => self.go_key(key),
            Screen::History | Screen::Restore => self.list_key(now, key),
            Screen::Banner => self.banner_key(now, key),
            Screen::Undo | Screen::Notice => match self.then.take() {
                Some(to) if key.code != Code::Esc => self.open_tab(to),
                _ => self.close(),
            },
        }
    }

    pub(super) fn menu_key(&mut self, now: Millis, key: &Key) -> Vec<Effect> {
        let letter = key.text().map(|c| c.to_ascii_lowercase());
        match MENU.iter().find(|(c, _, _)| Some(*c) == letter) {
            Some((_, screen, _)) => self.enter(now, *screen),
            None => self.close(),
        }
    }

    pub(super) fn prompt_key(&mut self, key: &Key) -> Vec<Effect> {
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

    pub(super) fn edited(&mut self) -> Vec<Effect> {
        if self.prompt.is_full() {
            let words = "the text is full: 10,000 characters are taken at most";
            self.message = (Style::Warning, words.into());
        } else if self.busy.is_none() {
            self.message.1.clear();
        }
        vec![Effect::Render]
    }

    pub(super) fn submit(&mut self, text: &str) -> Vec<Effect> {
        if self.busy.is_some() {
            return vec![];
        }
        if text.is_empty() {
            self.message = (Style::Warning, "write something, or press Esc".into());
            return vec![Effect::Render];
        }
        let pane = self.show.pane;
        let (words, method, params) = match self.show.screen {
            Screen::Intent => (
                "saving …",
                "plugin.set_intent",
                json!({"text": text, "pane": pane}),
            ),
            Screen::New => (
                "making it …",
                "plugin.add_worktree",
                json!({"text": text, "pane": pane}),
            ),
            _ => {
                let params = json!({"text": text, "kind": KINDS[self.kind], "pane": pane});
                ("saving …", "plugin.record_milestone", params)
            }
        };
        self.message = (Style::Dim, words.into());
        let mut effects = self.ask(method, params);
        effects.push(Effect::Render);
        effects
    }

    pub(super) fn list_key(&mut self, now: Millis, key: &Key) -> Vec<Effect> {
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

    pub(super) fn go_key(&mut self, key: &Key) -> Vec<Effect> {
        let height = size_of(&self.show).1.saturating_sub(4);
        match self.trees.key(key, height) {
            trees::Picked::Moved => vec![Effect::Render],
            trees::Picked::Close => self.close(),
            trees::Picked::Open { path, name } => {
                self.open_tab(json!({"path": path, "name": name}))
            }
            trees::Picked::NotMine => match self.prompt.key(key) {
                Typed::Cancel => self.close(),
                _ => self.filter_trees(),
            },
        }
    }

    fn filter_trees(&mut self) -> Vec<Effect> {
        self.trees.filter(&self.prompt.text());
        vec![Effect::Render]
    }

    pub(super) fn filter(&mut self, now: Millis, before: &str) -> Vec<Effect> {
        if self.prompt.text() != before {
            self.lists.filter(&self.prompt.text());
            self.query_at = Some(now + 120);
        }
        vec![Effect::Render]
    }

    pub(super) fn paste(&mut self, now: Millis, pasted: &str) -> Vec<Effect> {
        match self.show.screen {
            Screen::Intent | Screen::Milestone | Screen::New => {
                self.prompt.paste(pasted);
                self.edited()
            }
            Screen::Go => {
                self.prompt.paste(pasted);
                self.filter_trees()
            }
            Screen::History => {
                let before = self.prompt.text();
                self.prompt.paste(pasted);
                self.filter(now, &before)
            }
            Screen::Banner => self.pass_on(now, pasted.to_owned()),
            _ => vec![],
        }
    }

    /// The panel goes first: what Zellij restores must not find it.
    pub(super) fn choose(&mut self, choice: &str, generation: u64) -> Vec<Effect> {
        let params = json!({"choice": choice, "generation": generation});
        let mut effects = self.ask("plugin.choose", params);
        effects.extend(self.close());
        effects
    }

    pub(super) fn banner_key(&mut self, now: Millis, key: &Key) -> Vec<Effect> {
        if self.leaving != Leaving::No {
            return self.pass_on(now, to_bytes(key));
        }
        if let Some((held, _)) = self.held.take() {
            return self.pass_on(now, to_bytes(&held) + &to_bytes(key));
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
            _ => self.pass_on(now, to_bytes(key)),
        }
    }

    pub(super) fn banner_choice(&mut self, key: Key) -> Vec<Effect> {
        match key.code {
            Code::Char('d') => self.choose("dismiss", 0),
            Code::Char('l') => self.enter(0, Screen::Restore),
            Code::Char('u') => self.enter(0, Screen::Undo),
            _ => self.close(),
        }
    }

    /// What was typed reaches the pane it was meant for, and the banner goes at the next pause.
    pub(super) fn pass_on(&mut self, now: Millis, text: String) -> Vec<Effect> {
        if self.leaving != Leaving::Hidden {
            self.leaving = Leaving::Typing;
            self.close_at = Some(now + PAUSE);
        }
        match self.show.pane {
            Some(terminal) => vec![Effect::WriteChars { terminal, text }],
            None => vec![],
        }
    }

    pub(super) fn hide(&mut self, now: Millis) -> Vec<Effect> {
        self.leaving = Leaving::Hidden;
        self.close_at = Some(now + LINGER);
        let mut effects = self.say_closing(true);
        effects.push(Effect::HideSelf);
        effects
    }
}
