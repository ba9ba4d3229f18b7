//! What happens to the plugin, and what it wants done: the whole of its world, as data.

use std::collections::BTreeMap;

use crate::keys::Key;
use crate::protocol::{Pane, Tab};

/// Milliseconds since the epoch, passed in with every event.
pub type Millis = u64;

/// Who this instance is, as Zellij says when it is loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    pub zellij_session: String,
    pub plugin_id: u32,
    pub client_id: u16,
    pub zellij_pid: u32,
    pub zellij_version: String,
    pub initial_cwd: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A `zellij pipe` child, by its pipe id.
    Cli(String),
    /// Another plugin, by its plugin id.
    Plugin(u32),
    Keybind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Load {
        configuration: BTreeMap<String, String>,
        identity: Identity,
    },
    Permissions {
        granted: bool,
    },
    /// The Zellij session's name, also after it was renamed.
    Session(String),
    Tabs(Vec<Tab>),
    Panes(Vec<Pane>),
    Cwd {
        terminal: u32,
        path: String,
    },
    Command {
        terminal: u32,
        argv: Vec<String>,
        foreground: bool,
    },
    /// A key, or another action of the client: sent for every one, so asked for only while needed.
    Input,
    Timer,
    /// A line on a pipe, a message of another plugin, or a keybinding. No payload: the pipe ended.
    Pipe {
        source: Source,
        name: String,
        payload: Option<String>,
    },
    /// `attach` ended. Zellij gives exit code 2 and the system's words when it could not start it.
    Attached {
        code: Option<i32>,
        stdout: String,
        stderr: String,
    },
    /// Answer to `Effect::ListClients`.
    Clients {
        ids: Vec<u16>,
    },
    Key(Key),
    Paste(String),
    // answers to effects that Zellij answers at once
    Layout(Result<String, String>),
    LayoutChecked(Result<(), String>),
    Pid {
        terminal: u32,
        pid: Option<i32>,
    },
    Focus(Option<Focus>),
}

/// Where this client's keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Focus {
    pub tab_id: usize,
    /// None: a plugin has them.
    pub terminal: Option<u32>,
}

/// Where a floating pane is put, in cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    pub x: usize,
    pub y: usize,
    pub columns: usize,
    pub rows: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    RequestPermissions,
    /// Runs the command in `/` and answers with `Event::Attached`.
    Attach(Vec<String>),
    /// `Event::Timer` after so many milliseconds, at the earliest.
    SetTimer(Millis),
    /// Writes to a blocked CLI pipe: it comes out of that process's stdout.
    PipeOutput {
        pipe: String,
        text: String,
    },
    BlockPipe(String),
    UnblockPipe(String),
    /// Answers with `Event::Layout`. Takes 5 to 15 ms.
    DumpLayout,
    /// Answers with `Event::LayoutChecked`.
    CheckLayout(String),
    /// Answers with `Event::Pid`. Blocks for about 0.3 ms: once for each new pane.
    AskPid(u32),
    /// Answers with `Event::Focus`. Blocks for about 0.3 ms, 100 at most: for a key, whose tab and
    /// pane the newest manifest may not have yet.
    AskFocus,
    /// Answers with `Event::Clients`, later.
    ListClients,
    WatchInput(bool),
    OverrideLayout(String),
    /// The same KDL from a file; its path is without `.kdl`.
    OverrideLayoutFile {
        path: String,
        kdl: String,
    },
    NewTabs(String),
    CloseTab(usize),
    CloseTerminal(u32),
    /// By position, from 0.
    GoToTab(usize),
    /// Goes to its tab, too.
    FocusTerminal(u32),
    WriteChars {
        terminal: u32,
        text: String,
    },
    SwitchSession(String),
    HideFloating {
        tab_id: usize,
    },
    /// Starts the zdriver plugin anew as a floating pane, and hands it this message.
    OpenPanel {
        place: Place,
        focus: bool,
        serial: u64,
        payload: String,
    },
    /// A message to another plugin pane.
    Tell {
        plugin: u32,
        name: &'static str,
        payload: String,
    },
    MoveSelf(Place),
    CloseSelf,
    ShowSelf,
    HideSelf,
    /// Bars cannot be focused.
    Unselectable,
    Render,
    Log(String),
}
