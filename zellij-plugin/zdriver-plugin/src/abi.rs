//! The functions that Zellij calls, as `zellij_tile::register_plugin!` would write them.
//!
//! They are written out because zellij-tile 0.45.1 reads a key's character as one byte, so that
//! "日" arrives as "å". Zellij sends it whole; `event` takes it from the message before
//! zellij-tile reads it. An event that cannot be read is left out instead of ending the plugin.

// no_mangle counts as unsafe: these names must be ours alone, and they are
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;

use zellij_tile::prelude::{BareKey, Event, PipeMessage, ZellijPlugin, VERSION};
use zellij_tile::shim::plugin_api::action::ProtobufPluginConfiguration;
use zellij_tile::shim::plugin_api::event::ProtobufEvent;
use zellij_tile::shim::plugin_api::generated_api::api::event::event::Payload;
use zellij_tile::shim::plugin_api::generated_api::api::key::key::MainKey;
use zellij_tile::shim::plugin_api::pipe_message::ProtobufPipeMessage;
use zellij_tile::shim::prost::Message;
use zellij_tile::shim::{object_from_stdin, report_panic};

use crate::Zdriver;

thread_local! {
    static PLUGIN: RefCell<Zdriver> = RefCell::default();
}

pub fn start() {
    std::panic::set_hook(Box::new(report_panic));
}

#[no_mangle]
fn load() {
    let configuration = bytes()
        .and_then(|bytes| ProtobufPluginConfiguration::decode(bytes.as_slice()).ok())
        .and_then(|message| BTreeMap::try_from(&message).ok());
    PLUGIN.with_borrow_mut(|plugin| plugin.load(configuration.unwrap_or_default()));
}

#[no_mangle]
pub fn update() -> bool {
    let event = bytes()
        .and_then(|bytes| ProtobufEvent::decode(bytes.as_slice()).ok())
        .and_then(event);
    event.is_some_and(|event| PLUGIN.with_borrow_mut(|plugin| plugin.update(event)))
}

#[no_mangle]
pub fn pipe() -> bool {
    let message = bytes()
        .and_then(|bytes| ProtobufPipeMessage::decode(bytes.as_slice()).ok())
        .and_then(|message| PipeMessage::try_from(message).ok());
    message.is_some_and(|message| PLUGIN.with_borrow_mut(|plugin| plugin.pipe(message)))
}

#[no_mangle]
pub fn render(rows: i32, columns: i32) {
    let cells = |n: i32| usize::try_from(n).unwrap_or(0);
    PLUGIN.with_borrow_mut(|plugin| plugin.render(cells(rows), cells(columns)));
}

/// Zellij refuses a plugin that was built for another protocol.
#[no_mangle]
pub fn plugin_version() {
    println!("{VERSION}");
}

fn bytes() -> Option<Vec<u8>> {
    object_from_stdin().ok()
}

fn event(message: ProtobufEvent) -> Option<Event> {
    let whole = match &message.payload {
        Some(Payload::KeyPayload(key)) => match key.main_key {
            Some(MainKey::Char(code)) => u32::try_from(code).ok().and_then(char::from_u32),
            _ => None,
        },
        _ => None,
    };
    let mut event = Event::try_from(message).ok()?;
    if let (Event::Key(key), Some(whole)) = (&mut event, whole) {
        key.bare_key = BareKey::Char(whole);
    }
    Some(event)
}
