//! Zellij's events in the core's words.

use zdriver_core::keys::{Code, Key};
use zdriver_core::protocol::{Pane, Tab};
use zdriver_core::{Event, Source};
use zellij_tile::prelude::{
    subscribe, BareKey, Event as Host, EventType, KeyModifier, KeyWithModifier, PaneId, PaneInfo,
    PaneManifest, PermissionStatus, PipeMessage, PipeSource, TabInfo,
};

/// Not `SessionUpdate`: it comes every second. `InitialKeybinds` keeps `ModeUpdate`, which is
/// wanted for the Zellij session's name, from carrying all keybindings each time.
pub const BACKGROUND: &[EventType] = &[
    EventType::PermissionRequestResult,
    EventType::ModeUpdate,
    EventType::InitialKeybinds,
    EventType::TabUpdate,
    EventType::PaneUpdate,
    EventType::CwdChanged,
    EventType::CommandChanged,
    EventType::RunCommandResult,
    EventType::ListClients,
    EventType::Timer,
    EventType::Key,
];

/// Zellij 0.45 sends a background plugin only what its *last* `subscribe` named, so all of it is
/// named again.
pub fn subscribe_with_input() {
    let mut all = BACKGROUND.to_vec();
    all.push(EventType::PastedText);
    all.push(EventType::InputReceived);
    subscribe(&all);
}

pub const PANEL: &[EventType] = &[
    EventType::PermissionRequestResult,
    EventType::Timer,
    EventType::Key,
    EventType::PastedText,
];

pub fn translate(event: Host) -> Option<Event> {
    Some(match event {
        Host::PermissionRequestResult(status) => Event::Permissions {
            granted: status == PermissionStatus::Granted,
        },
        Host::ModeUpdate(mode) => Event::Session(mode.session_name?),
        Host::TabUpdate(tabs) => Event::Tabs(tabs.into_iter().map(tab).collect()),
        Host::PaneUpdate(manifest) => Event::Panes(panes(manifest)),
        Host::CwdChanged(PaneId::Terminal(terminal), path, _) => Event::Cwd {
            terminal,
            path: path.to_string_lossy().into_owned(),
        },
        Host::CommandChanged(PaneId::Terminal(terminal), argv, foreground, _) => Event::Command {
            terminal,
            argv,
            foreground,
        },
        Host::InputReceived => Event::Input,
        Host::Timer(_) => Event::Timer,
        Host::RunCommandResult(code, stdout, stderr, _) => Event::Attached {
            code,
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        },
        Host::ListClients(clients) => Event::Clients {
            ids: clients.into_iter().map(|client| client.client_id).collect(),
        },
        Host::Key(pressed) => Event::Key(key(&pressed)),
        Host::PastedText(text) => Event::Paste(text),
        _ => return None,
    })
}

pub fn message(message: PipeMessage) -> Event {
    Event::Pipe {
        source: match message.source {
            PipeSource::Cli(pipe) => Source::Cli(pipe),
            PipeSource::Plugin(plugin) => Source::Plugin(plugin),
            PipeSource::Keybind => Source::Keybind,
        },
        name: message.name,
        payload: message.payload,
    }
}

fn tab(tab: TabInfo) -> Tab {
    Tab {
        position: tab.position,
        tab_id: tab.tab_id,
        name: tab.name,
        active: tab.active,
        floating_visible: tab.are_floating_panes_visible,
        rows: tab.display_area_rows,
        columns: tab.display_area_columns,
    }
}

fn panes(manifest: PaneManifest) -> Vec<Pane> {
    let tabs = manifest.panes.into_iter();
    tabs.flat_map(|(tab, panes)| panes.into_iter().map(move |info| pane(tab, info)))
        .collect()
}

fn pane(tab: usize, info: PaneInfo) -> Pane {
    Pane {
        tab,
        id: info.id,
        is_plugin: info.is_plugin,
        is_floating: info.is_floating,
        is_suppressed: info.is_suppressed,
        x: info.pane_x,
        y: info.pane_y,
        rows: info.pane_rows,
        columns: info.pane_columns,
        title: info.title,
        focused: info.is_focused,
        fullscreen: info.is_fullscreen,
        exited: info.exited,
        exit_status: info.exit_status,
        held: info.is_held,
        command: info.terminal_command,
        plugin_url: info.plugin_url,
        stack: None,
    }
}

fn key(pressed: &KeyWithModifier) -> Key {
    let has = |modifier| pressed.key_modifiers.contains(&modifier);
    let mut key = Key {
        code: code(pressed.bare_key),
        ctrl: has(KeyModifier::Ctrl),
        alt: has(KeyModifier::Alt),
        shift: has(KeyModifier::Shift),
    };
    // with the kitty keyboard protocol a capital comes as Shift and the small letter
    if let (Code::Char(c), true, false) = (key.code, key.shift, key.ctrl) {
        let mut upper = c.to_uppercase();
        if let (Some(upper), None) = (upper.next(), upper.next()) {
            key.code = Code::Char(upper);
        }
        key.shift = false;
    }
    if has(KeyModifier::Super) {
        key.code = Code::Other;
    }
    key
}

fn code(key: BareKey) -> Code {
    match key {
        BareKey::Char('\n' | '\r') | BareKey::Enter => Code::Enter,
        BareKey::Char('\t') | BareKey::Tab => Code::Tab,
        BareKey::Char(c) => Code::Char(c),
        BareKey::Esc => Code::Esc,
        BareKey::Backspace => Code::Backspace,
        BareKey::Delete => Code::Delete,
        BareKey::Insert => Code::Insert,
        BareKey::Left => Code::Left,
        BareKey::Right => Code::Right,
        BareKey::Up => Code::Up,
        BareKey::Down => Code::Down,
        BareKey::Home => Code::Home,
        BareKey::End => Code::End,
        BareKey::PageUp => Code::PageUp,
        BareKey::PageDown => Code::PageDown,
        BareKey::F(n) => Code::F(n),
        _ => Code::Other,
    }
}
