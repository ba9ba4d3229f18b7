//! The core's effects, run in Zellij. Some are answered at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zdriver_core::effect::{Focus, Place};
use zdriver_core::inside::{PANEL_TITLE, TO_PANEL};
use zdriver_core::{Effect, Event};
use zellij_tile::prelude::*;

use crate::events;

/// Each with its reason: `zdriver setup zellij` shows them before it asks.
pub const PERMISSIONS: &[(PermissionType, &str)] = &[
    (
        PermissionType::ReadApplicationState,
        "see tabs, panes, folders and commands, to remember them",
    ),
    (
        PermissionType::ChangeApplicationState,
        "make tabs and panes again, and show its prompts",
    ),
    (
        PermissionType::RunCommands,
        "run `zdriver attach`, which connects it to zdriver's daemon",
    ),
    (
        PermissionType::ReadCliPipes,
        "talk with zdriver's daemon over `zellij pipe`",
    ),
    (
        PermissionType::WriteToStdin,
        "type restored commands, and a new worktree's hook, into their shells",
    ),
    (
        PermissionType::MessageAndLaunchOtherPlugins,
        "open its own prompt, and fill its own status line",
    ),
];

/// Runs one effect; returns what Zellij answered, for those that ask something.
pub fn run(effect: Effect) -> Option<Event> {
    match effect {
        Effect::DumpLayout => {
            return Some(Event::Layout(
                dump_session_layout().map(|(layout, _)| layout),
            ));
        }
        Effect::CheckLayout(kdl) => return Some(Event::LayoutChecked(check(&kdl))),
        Effect::AskPid(terminal) => {
            let pid = get_pane_pid(PaneId::Terminal(terminal)).ok();
            return Some(Event::Pid { terminal, pid });
        }
        Effect::AskFocus => return Some(Event::Focus(focus())),
        Effect::RequestPermissions => {
            let wanted: Vec<PermissionType> = PERMISSIONS.iter().map(|(p, _)| *p).collect();
            request_permission(&wanted);
        }
        Effect::Attach(argv) => attach(&argv),
        Effect::SetTimer(millis) => set_timeout(millis.max(5) as f64 / 1000.0),
        Effect::PipeOutput { pipe, text } => cli_pipe_output(&pipe, &text),
        Effect::BlockPipe(pipe) => block_cli_pipe_input(&pipe),
        Effect::UnblockPipe(pipe) => unblock_cli_pipe_input(&pipe),
        Effect::ListClients => list_clients(),
        Effect::WatchInput(true) => events::subscribe_with_input(),
        Effect::WatchInput(false) => unsubscribe(&[EventType::InputReceived]),
        Effect::OverrideLayout(kdl) => replace_all(LayoutInfo::Stringified(kdl)),
        // without a folder for layouts Zellij would look for the path among its own layouts
        Effect::OverrideLayoutFile { kdl, .. } if get_layout_dir().is_empty() => {
            replace_all(LayoutInfo::Stringified(kdl));
        }
        Effect::OverrideLayoutFile { path, .. } => {
            replace_all(LayoutInfo::File(path, LayoutMetadata::default()));
        }
        Effect::NewTabs(kdl) => {
            new_tabs_with_layout(&kdl);
        }
        Effect::CloseTab(tab_id) => close_tab_with_id(tab_id as u64),
        Effect::CloseTerminal(terminal) => close_terminal_pane(terminal),
        Effect::GoToTab(position) => go_to_tab(position as u32),
        Effect::FocusTerminal(terminal) => focus_terminal_pane(terminal, false, false),
        Effect::WriteChars { terminal, text } => {
            write_chars_to_pane_id(&text, PaneId::Terminal(terminal));
        }
        Effect::SwitchSession(name) => switch_session(Some(&name)),
        Effect::HideFloating { tab_id } => {
            let _ = hide_floating_panes(Some(tab_id));
        }
        Effect::OpenPanel {
            place,
            focus,
            serial,
            payload,
        } => {
            open_panel(place, focus, serial, payload);
        }
        Effect::Tell {
            plugin,
            name,
            payload,
        } => {
            let message = MessageToPlugin::new(name).with_payload(payload);
            pipe_message_to_plugin(message.with_destination_plugin_id(plugin));
        }
        Effect::MoveSelf(place) => {
            let me = PaneId::Plugin(get_plugin_ids().plugin_id);
            let to = coordinates(place, None).map(|to| (me, to));
            change_floating_panes_coordinates(to.into_iter().collect());
        }
        Effect::CloseSelf => close_self(),
        Effect::ShowSelf => show_self(true),
        Effect::HideSelf => hide_self(),
        Effect::Unselectable => set_selectable(false),
        Effect::Log(words) => eprintln!("zdriver: {words}"),
        Effect::Render => {}
    }
    None
}

fn focus() -> Option<Focus> {
    // what the API calls an index is the tab's id
    let (tab_id, pane) = get_focused_pane_info().ok()?;
    let terminal = match pane {
        PaneId::Terminal(terminal) => Some(terminal),
        PaneId::Plugin(_) => None,
    };
    Some(Focus { tab_id, terminal })
}

/// In `/`: a folder that is always there.
fn attach(argv: &[String]) {
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let none = BTreeMap::new();
    run_command_with_env_variables_and_cwd(&argv, none, PathBuf::from("/"), BTreeMap::new());
}

fn replace_all(layout: LayoutInfo) {
    override_layout(layout, false, false, false, BTreeMap::new());
}

fn check(kdl: &str) -> Result<(), String> {
    match parse_layout(kdl) {
        Ok(_) => Ok(()),
        Err(LayoutParsingError::KdlError { kdl_error, .. }) => Err(kdl_error.error_message),
        Err(LayoutParsingError::SyntaxError) => Err("it is no KDL".into()),
    }
}

/// None for a pane without cells, which Zellij would not take.
fn coordinates(place: Place, pinned: Option<bool>) -> Option<FloatingPaneCoordinates> {
    let cells = |n: usize| Some(n.to_string());
    let (width, height) = (cells(place.columns), cells(place.rows));
    FloatingPaneCoordinates::new(cells(place.x), cells(place.y), width, height, pinned, None)
}

/// The serial makes the configuration a new one, so that a new instance is started: an older
/// one may be in another tab.
fn open_panel(place: Place, focus: bool, serial: u64, payload: String) {
    let configuration = [("view", "panel".to_owned()), ("serial", serial.to_string())];
    let configuration = configuration.map(|(key, value)| (key.to_owned(), value));
    pipe_message_to_plugin(MessageToPlugin {
        // Zellij puts the path of this plugin itself
        plugin_url: Some("zellij:OWN_URL".into()),
        destination_plugin_id: None,
        plugin_config: BTreeMap::from(configuration),
        message_name: TO_PANEL.into(),
        message_payload: Some(payload),
        message_args: BTreeMap::new(),
        new_plugin_args: Some(NewPluginArgs {
            should_float: Some(true),
            pane_id_to_replace: None,
            pane_title: Some(PANEL_TITLE.into()),
            cwd: None,
            skip_cache: false,
            should_focus: Some(focus),
        }),
        // without the focus only a pinned pane is seen
        floating_pane_coordinates: coordinates(place, (!focus).then_some(true)),
    });
}
