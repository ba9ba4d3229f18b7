//! What the zdriver plugin decides and shows, without Zellij.
//!
//! `State::update(now, event)` takes one thing that happened and returns the effects to run;
//! `view` turns what a pane shows into styled lines. Nothing here touches Zellij, a file, a
//! clock or a process, so that all of it is tested natively.

pub mod apply;
pub mod background;
pub mod bridge;
pub mod capture;
pub mod effect;
pub mod host;
pub mod inside;
pub mod keys;
pub mod list;
pub mod lists;
pub mod panel;
pub mod prompt;
pub mod protocol;
pub mod state;
pub mod status;
pub mod text;
pub mod trees;
pub mod view;

pub use effect::{Effect, Event, Source};
pub use state::State;
