//! The life of the connection to the daemon: attach, hello, ping, loss, and again.

use std::collections::BTreeMap;

use serde_json::{json, Value};

use crate::effect::{Effect, Millis};
use crate::protocol;

/// Between two attaches, at least.
pub const ATTACH_PAUSE: Millis = 1_000;
const ATTACH_PAUSE_MAX: Millis = 10_000;
/// An attach that brought no hello in this time has failed.
const HELLO_WAIT: Millis = 15_000;
/// The daemon's hello follows at once when the attach succeeded.
const HELLO_AFTER_ATTACH: Millis = 3_000;
const SILENCE: Millis = 30_000;
const PONG_WAIT: Millis = 5_000;
/// While the program is not there at all.
const GONE_PAUSE: Millis = 60_000;
/// An instance that does not lead lets the leader go first.
const FOLLOWER_PAUSE: Millis = 2_500;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// No permission yet, or the Zellij session's name is not known.
    #[default]
    Idle,
    Attaching,
    Up,
    /// The daemon is connected to another client's instance: stand by.
    Standby,
    /// Waits for the next attempt.
    Down,
    /// The daemon was stopped on purpose: only a key brings it back.
    Resting,
}

/// Who waits for an answer of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub enum Asker {
    Ping,
    Panel { plugin: u32, id: u64 },
}

/// A request that must not get lost: kept until it is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub asker: Asker,
    pub method: String,
    pub params: Value,
}

impl Question {
    /// Is it sent again on the next connection? It carries a request id, so it is done once.
    pub fn lasting(&self) -> bool {
        matches!(
            self.method.as_str(),
            "plugin.set_intent" | "plugin.record_milestone" | "plugin.add_worktree"
        )
    }
}

#[derive(Debug, Clone, Default)]
pub struct Bridge {
    pub phase: Phase,
    pub leader: bool,
    /// The daemon's name of this connection.
    pub name: String,
    /// Why there is no connection, in words; empty when there is one.
    pub trouble: String,
    /// The program is not there.
    pub gone: bool,
    /// `attach` went well; the hello is awaited.
    accepted: bool,
    up: Option<String>,
    down: Option<String>,
    retry_at: Millis,
    give_up_at: Millis,
    pause: Millis,
    heard_at: Millis,
    ping_sent: Option<Millis>,
    next_id: u64,
    asked: BTreeMap<u64, Question>,
    waiting: Vec<Question>,
}

impl Bridge {
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    pub fn leads(&self) -> bool {
        self.is_up() && self.leader
    }

    /// Runs `attach` now. `argv` is the whole command.
    pub fn attach(&mut self, now: Millis, argv: Vec<String>) -> Vec<Effect> {
        self.phase = Phase::Attaching;
        self.accepted = false;
        self.give_up_at = now + HELLO_WAIT;
        vec![Effect::Attach(argv)]
    }

    /// `attach` ended. It may have ended well without a hello for us: the daemon knows.
    pub fn attached(&mut self, now: Millis, code: Option<i32>, stderr: &str, command: &str) {
        self.gone = code == Some(127) || (code == Some(2) && stderr.contains("(os error 2)"));
        if self.phase != Phase::Attaching {
            return;
        }
        if code == Some(0) {
            self.accepted = true;
            self.give_up_at = now + HELLO_AFTER_ATTACH;
            return;
        }
        let words = stderr.lines().map(str::trim).find(|l| !l.is_empty());
        let trouble = if self.gone {
            format!(
                "zdriver is gone: there is no program {command}. Install it again, or remove the \
                 zdriver lines from load_plugins and keybinds in Zellij's config.kdl"
            )
        } else {
            format!(
                "zdriver's daemon does not start: {}",
                words.unwrap_or("no reason was given")
            )
        };
        self.fail(now, trouble);
    }

    fn fail(&mut self, now: Millis, trouble: String) {
        self.pause = (self.pause * 2).clamp(ATTACH_PAUSE, ATTACH_PAUSE_MAX);
        self.phase = Phase::Down;
        self.retry_at = now + if self.gone { GONE_PAUSE } else { self.pause };
        self.trouble = trouble;
    }

    /// A hello came on one of the pipes. Tells whether this instance leads.
    pub fn hello(
        &mut self,
        now: Millis,
        pipe: &str,
        is_up: bool,
        hello: &protocol::Hello,
        client_id: u16,
    ) -> Vec<Effect> {
        let led = self.leader;
        self.leader = hello.client_id == client_id;
        self.heard_at = now;
        if !is_up {
            self.down = Some(pipe.to_owned());
            // another instance leads from now on: let go of the up pipe, so that its hello is read
            let release = self.up.clone().filter(|_| led && !self.leader);
            return release.map(Effect::UnblockPipe).into_iter().collect();
        }
        self.up = Some(pipe.to_owned());
        self.phase = Phase::Up;
        self.name = hello.bridge.clone();
        self.trouble.clear();
        self.gone = false;
        self.pause = 0;
        self.ping_sent = None;
        if !self.leader {
            return vec![];
        }
        // a blocked pipe gives out what we write at once; an unblocked one waits for its stdin
        vec![Effect::BlockPipe(pipe.to_owned())]
    }

    /// Gives the connection to another instance, which needs to know its pipes.
    pub fn hand_over(&mut self) -> Option<(String, String)> {
        let pipes = self.up.clone().zip(self.down.clone())?;
        self.leader = false;
        self.ping_sent = None;
        Some(pipes)
    }

    /// Takes the connection that another instance had.
    pub fn take_over(&mut self, now: Millis, up: String, down: String, name: String) {
        self.phase = Phase::Up;
        self.leader = true;
        self.up = Some(up);
        self.down = Some(down);
        self.name = name;
        self.heard_at = now;
        self.ping_sent = None;
        self.trouble.clear();
    }

    /// Questions that waited for a connection, now that there is one.
    pub fn flush(&mut self) -> Vec<Effect> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().flat_map(|q| self.send(q)).collect()
    }

    /// Any line was heard on the down pipe.
    pub fn heard(&mut self, now: Millis) {
        self.heard_at = now;
        self.ping_sent = None;
    }

    /// Does the end of this pipe cut the connection? One that stands by knows no pipes.
    pub fn is_ours(&self, pipe: &str) -> bool {
        self.phase == Phase::Standby
            || self.up.as_deref() == Some(pipe)
            || self.down.as_deref() == Some(pipe)
    }

    /// The daemon is gone, or said good-bye.
    pub fn lost(&mut self, now: Millis, trouble: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(up) = self.up.take() {
            if self.leader {
                // its process then reads its stdin, finds the end and leaves
                effects.push(Effect::UnblockPipe(up));
            }
        }
        self.down = None;
        self.phase = Phase::Down;
        self.trouble = trouble.to_owned();
        self.retry_at = now
            + if self.leader {
                ATTACH_PAUSE / 4
            } else {
                FOLLOWER_PAUSE
            };
        for (_, question) in std::mem::take(&mut self.asked) {
            if question.lasting() {
                self.waiting.push(question);
            }
        }
        effects
    }

    pub fn rest(&mut self) {
        self.phase = Phase::Resting;
    }

    /// A key asks for zdriver: try at once.
    pub fn hurry(&mut self, now: Millis) {
        if matches!(self.phase, Phase::Down | Phase::Resting) {
            self.phase = Phase::Down;
            self.retry_at = now;
        }
    }

    pub fn due_at(&self) -> Option<Millis> {
        match self.phase {
            Phase::Idle | Phase::Standby | Phase::Resting => None,
            Phase::Attaching => Some(self.give_up_at),
            Phase::Down => Some(self.retry_at),
            Phase::Up if !self.leader => None,
            Phase::Up => Some(match self.ping_sent {
                Some(sent) => sent + PONG_WAIT,
                None => self.heard_at + SILENCE,
            }),
        }
    }

    /// Time passed. True when it is time to attach again.
    pub fn tick(&mut self, now: Millis) -> (bool, Vec<Effect>) {
        if self.due_at().is_none_or(|due| now < due) {
            return (false, vec![]);
        }
        match self.phase {
            Phase::Down => (true, vec![]),
            Phase::Attaching if self.accepted => {
                self.phase = Phase::Standby;
                self.leader = false;
                self.trouble.clear();
                self.pause = 0;
                (false, vec![])
            }
            Phase::Attaching => {
                self.fail(now, "zdriver's daemon did not answer".into());
                (false, vec![])
            }
            Phase::Up if self.ping_sent.is_some() => {
                (false, self.lost(now, "zdriver's daemon does not answer"))
            }
            Phase::Up => {
                self.ping_sent = Some(now);
                let ping = Question {
                    asker: Asker::Ping,
                    method: "plugin.ping".into(),
                    params: json!({}),
                };
                (false, self.send(ping))
            }
            Phase::Idle | Phase::Standby | Phase::Resting => (false, vec![]),
        }
    }

    /// Asks the daemon, or keeps the question until there is one.
    pub fn ask(&mut self, question: Question) -> Vec<Effect> {
        if self.leads() {
            self.send(question)
        } else {
            self.waiting.push(question);
            vec![]
        }
    }

    fn send(&mut self, question: Question) -> Vec<Effect> {
        self.next_id += 1;
        let line = protocol::request(self.next_id, &question.method, question.params.clone());
        self.asked.insert(self.next_id, question);
        self.write(line)
    }

    /// Writes a line up. Nothing happens without a connection.
    pub fn write(&self, text: String) -> Vec<Effect> {
        match &self.up {
            Some(pipe) if self.leads() => vec![Effect::PipeOutput {
                pipe: pipe.clone(),
                text,
            }],
            _ => vec![],
        }
    }

    /// Whose question is answered by this id?
    pub fn answered(&mut self, id: &Value) -> Option<Question> {
        self.asked.remove(&id.as_u64()?)
    }

    /// The panel is gone: what only it wanted to see need not be asked any more.
    pub fn forget_panel(&mut self, gone: u32) {
        self.waiting.retain(|q| match q.asker {
            Asker::Panel { plugin, .. } => plugin != gone || q.lasting(),
            Asker::Ping => false,
        });
    }

    pub fn unsent(&self) -> usize {
        self.waiting.len()
    }
}
