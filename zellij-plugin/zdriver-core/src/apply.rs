//! Making the panes of a layout, and finding out which terminal became which pane.
//!
//! Zellij says nothing back when it applies a layout, so the panes are recognised in the manifest:
//! it counts the ids of terminals up, never using one twice, and starts those of a tab in an order
//! that follows from the layout. The daemon, which made the layout, sends that order along.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::effect::{Effect, Millis};
use crate::protocol::{
    Applied, AppliedPane, AppliedTab, Apply, FailedPane, Mode, Pane, RpcError, Tab, CONFLICT,
    INVALID_PARAMS,
};

/// How long an `override` waits for all panes to be new ones before it takes a kept one as well.
const REUSE_GRACE: Millis = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Checking,
    Appearing,
    Closing,
}

#[derive(Debug, Clone)]
pub struct Job {
    /// The JSON-RPC id to answer to.
    pub id: Value,
    params: Apply,
    phase: Phase,
    started: Millis,
    deadline: Millis,
    old_terminals: BTreeSet<u32>,
    old_tabs: BTreeSet<usize>,
    applied: Applied,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Waiting(Vec<Effect>),
    Failed(RpcError),
    Done(Vec<Effect>, Applied),
}

/// Which terminals stand where one tab of the layout was made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    tab_id: usize,
    position: usize,
    /// In the order in which they were started.
    terminals: Vec<u32>,
}

/// One tab, one terminal, nothing run and nothing typed: safe to replace.
pub fn pristine(tabs: &[Tab], panes: &[Pane], typed: bool) -> Result<(), String> {
    let terminals: Vec<&Pane> = panes.iter().filter(|p| !p.is_plugin).collect();
    if tabs.len() != 1 {
        return Err(format!("the Zellij session has {} tabs", tabs.len()));
    }
    if terminals.len() != 1 {
        return Err(format!("the Zellij session has {} panes", terminals.len()));
    }
    if terminals[0].command.is_some() {
        return Err("a command runs in its only pane".into());
    }
    if typed {
        return Err("something was typed in its only pane".into());
    }
    Ok(())
}

impl Job {
    /// First the layout is checked; go on with `checked`.
    pub fn start(id: Value, params: Apply, now: Millis) -> (Self, Vec<Effect>) {
        let check = Effect::CheckLayout(params.kdl.clone());
        let seconds = params.timeout.clamp(0.1, 120.0);
        let job = Self {
            id,
            params,
            phase: Phase::Checking,
            started: now,
            deadline: now + (seconds * 1000.0) as Millis,
            old_terminals: BTreeSet::new(),
            old_tabs: BTreeSet::new(),
            applied: Applied::default(),
        };
        (job, vec![check])
    }

    pub fn deadline(&self) -> Millis {
        match self.phase {
            // a manifest that changes no more must still be looked at once the grace is over
            Phase::Appearing => self.deadline.min(self.started + REUSE_GRACE),
            _ => self.deadline,
        }
    }

    pub fn waits_for_check(&self) -> bool {
        self.phase == Phase::Checking
    }

    pub fn checked(
        &mut self,
        now: Millis,
        answer: Result<(), String>,
        tabs: &[Tab],
        panes: &[Pane],
        typed: bool,
    ) -> Step {
        if let Err(why) = answer {
            let message = format!("Zellij does not take this layout: {why}");
            return Step::Failed(RpcError::new(INVALID_PARAMS, message));
        }
        if self.params.mode == Mode::Override {
            if let Err(why) = pristine(tabs, panes, typed) {
                let message = format!("the Zellij session is in use: {why}");
                return Step::Failed(RpcError::new(CONFLICT, message));
            }
        }
        self.old_terminals = panes
            .iter()
            .filter(|p| !p.is_plugin)
            .map(|p| p.id)
            .collect();
        self.old_tabs = tabs.iter().map(|t| t.tab_id).collect();
        self.phase = Phase::Appearing;
        self.started = now;
        let kdl = std::mem::take(&mut self.params.kdl);
        Step::Waiting(vec![
            match (self.params.mode, self.params.layout_file.take()) {
                (Mode::Override, Some(path)) => Effect::OverrideLayoutFile { path, kdl },
                (Mode::Override, None) => Effect::OverrideLayout(kdl),
                (Mode::NewTabs | Mode::Replace | Mode::OneTab, _) => Effect::NewTabs(kdl),
            },
        ])
    }

    /// To be called at every manifest and at the deadline.
    pub fn look(&mut self, now: Millis, tabs: &[Tab], panes: &[Pane]) -> Step {
        match self.phase {
            Phase::Checking => Step::Waiting(vec![]),
            Phase::Appearing => self.look_for_panes(now, tabs, panes),
            Phase::Closing => self.look_for_closed(now, tabs),
        }
    }

    fn look_for_panes(&mut self, now: Millis, tabs: &[Tab], panes: &[Pane]) -> Step {
        let mut made = self.made(now, tabs, panes);
        if self.params.mode == Mode::OneTab {
            made.truncate(1);
            let terminals = made.first().map_or(0, |made| made.terminals.len());
            self.params.expect = vec![terminals.max(1)];
        }
        let complete = made.len() == self.params.expect.len()
            && made
                .iter()
                .zip(&self.params.expect)
                .all(|(m, n)| m.terminals.len() == *n);
        if !complete && now < self.deadline {
            return Step::Waiting(vec![]);
        }
        let mut effects = self.write(&made);
        self.report(&made);
        let closing: Vec<usize> = match self.params.mode {
            Mode::Replace if complete => self.still_open(tabs),
            _ => vec![],
        };
        if closing.is_empty() {
            return self.finish(effects, tabs);
        }
        effects.extend(closing.into_iter().map(Effect::CloseTab));
        self.phase = Phase::Closing;
        Step::Waiting(effects)
    }

    fn look_for_closed(&mut self, now: Millis, tabs: &[Tab]) -> Step {
        if !self.still_open(tabs).is_empty() && now < self.deadline {
            return Step::Waiting(vec![]);
        }
        self.finish(vec![], tabs)
    }

    fn still_open(&self, tabs: &[Tab]) -> Vec<usize> {
        let ids = tabs.iter().map(|t| t.tab_id);
        ids.filter(|id| self.params.close_tabs.contains(id))
            .collect()
    }

    fn finish(&mut self, mut effects: Vec<Effect>, tabs: &[Tab]) -> Step {
        for done in &mut self.applied.tabs {
            if let Some(tab) = tabs.iter().find(|t| t.tab_id == done.tab_id) {
                done.position = tab.position;
            }
        }
        let focus = self.params.focus_tab;
        if let Some(tab) = self.applied.tabs.iter().find(|t| Some(t.tab) == focus) {
            effects.push(Effect::GoToTab(tab.position));
        }
        Step::Done(effects, std::mem::take(&mut self.applied))
    }

    fn made(&self, now: Millis, tabs: &[Tab], panes: &[Pane]) -> Vec<Made> {
        let fresh_only = self.params.mode != Mode::Override || now < self.started + REUSE_GRACE;
        let mut places: Vec<&Tab> = tabs
            .iter()
            .filter(|t| self.params.mode == Mode::Override || !self.old_tabs.contains(&t.tab_id))
            .collect();
        places.sort_by_key(|t| t.position);
        let terminals = |position: usize| {
            let mut found: Vec<&Pane> = panes
                .iter()
                .filter(|p| p.tab == position && !p.is_plugin)
                // of a new pane that is suppressed: Zellij lists its stack, and it is folded
                .filter(|p| !p.is_suppressed || !self.old_terminals.contains(&p.id))
                .filter(|p| !fresh_only || !self.old_terminals.contains(&p.id))
                .collect();
            found.sort_by_key(|p| (p.is_floating, p.id));
            found.iter().map(|p| p.id).collect()
        };
        places
            .iter()
            .map(|tab| Made {
                tab_id: tab.tab_id,
                position: tab.position,
                terminals: terminals(tab.position),
            })
            .collect()
    }

    fn terminal(&self, made: &[Made], tab: usize, pane: usize) -> Option<u32> {
        let order = self.params.order.get(tab).and_then(|order| order.get(pane));
        let started_as = order.copied().unwrap_or(pane);
        made.get(tab)?.terminals.get(started_as).copied()
    }

    fn write(&self, made: &[Made]) -> Vec<Effect> {
        let texts = self.params.writes.iter();
        texts
            .filter_map(|w| {
                let terminal = self.terminal(made, w.tab, w.pane)?;
                let text = w.text.clone();
                Some(Effect::WriteChars { terminal, text })
            })
            .collect()
    }

    fn report(&mut self, made: &[Made]) {
        let mut applied = Applied::default();
        for (tab, expected) in self.params.expect.iter().enumerate() {
            if let Some(Made {
                tab_id, position, ..
            }) = made.get(tab)
            {
                let (tab_id, position) = (*tab_id, *position);
                applied.tabs.push(AppliedTab {
                    tab,
                    tab_id,
                    position,
                });
            }
            for pane in 0..*expected {
                match self.terminal(made, tab, pane) {
                    Some(id) => applied.panes.push(AppliedPane { tab, pane, id }),
                    None => applied.failed.push(FailedPane {
                        tab,
                        pane,
                        reason: "Zellij did not make this pane in time".into(),
                    }),
                }
            }
        }
        self.applied = applied;
    }
}
