"""Keys in Zellij's config.kdl: zdriver's own, and who has bound what."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from zdriver.zellij.kdledit import children, first
from zdriver.zellij.kdlscan import Node

ALIAS = "zdriver"
WASM_NAME = "zdriver.wasm"

MENU_KEY = "Alt m"
#: Keys of Zellij's session mode (`Ctrl o`) → the message that the plugin gets.
SESSION_KEYS = {
    "i": "intent",
    "m": "milestone",
    "h": "history",
    "g": "go",
    "b": "new",
    "r": "restore",
    "u": "undo",
}

MODES = (
    *("normal", "locked", "resize", "pane", "tab", "scroll", "entersearch", "search"),
    *("renametab", "renamepane", "session", "move", "prompt", "tmux"),
)


class Key(msgspec.Struct, frozen=True):
    """One keybinding: in `mode`, `key` sends `message` to the plugin."""

    mode: str
    key: str
    message: str


def is_ours(plugin: str) -> bool:
    """Whether a plugin's name or location means zdriver's, whatever folder it lies in."""
    return plugin == ALIAS or (plugin.startswith(("file:", "/")) and plugin.endswith(f"/{WASM_NAME}"))


def default_mode(nodes: list[Node]) -> str:
    """The mode Zellij starts in: "locked" with its "Unlock First" preset."""
    node = first(nodes, "default_mode")
    return node.arguments[0].lower() if node and node.arguments else "normal"


def wanted_keys(mode: str) -> list[Key]:
    """Ours, for a Zellij that starts in `mode`: the menu also works where the user mostly is."""
    modes = ("normal", "locked") if mode == "locked" else ("normal",)
    return [Key(mode, MENU_KEY, "menu") for mode in modes] + [
        Key("session", key, message) for key, message in SESSION_KEYS.items()
    ]


def key_lines(keys: list[Key], mode: str) -> list[str]:
    """KDL that binds `keys`, to stand inside `keybinds`."""
    menu = [key for key in keys if key.message == "menu"]
    session = [key for key in keys if key.mode == "session"]
    lines = []
    if menu:
        names = " ".join(f'"{key.mode}"' for key in menu)
        block = f"shared_among {names}" if mode == "locked" else 'shared_except "locked"'
        lines += [f"{block} {{", f"    {_bind(menu[0])}", "}"]
    if session:
        back = "Locked" if mode == "locked" else "Normal"
        lines += ["session {", *(f"    {_bind(key, back)}" for key in session), "}"]
    return lines


def _bind(key: Key, back: str = "") -> str:
    then = f' SwitchToMode "{back}";' if back else ""
    return f'bind "{key.key}" {{ MessagePlugin "{ALIAS}" {{ name "{key.message}"; }};{then} }}'


def bound_keys(nodes: list[Node]) -> Iterator[tuple[Key, str]]:
    """Every binding of the file with its action's name; `message` is "" where it is not ours."""
    for block in children(nodes, "keybinds"):
        for bind in block.children:
            if bind.name != "bind":
                continue
            sent = message(bind)
            action = bind.children[0].name if bind.children else ""
            for key in bind.arguments:
                for mode in _modes(block):
                    yield Key(mode, normal_key(key), sent), action


def _modes(block: Node) -> list[str]:
    named = [argument.lower() for argument in block.arguments]
    if block.name == "shared":
        return list(MODES)
    if block.name == "shared_except":
        return [mode for mode in MODES if mode not in named]
    return named if block.name == "shared_among" else [block.name.lower()]


def message(bind: Node) -> str:
    """The message that `bind` sends to our plugin, "" when it does something else."""
    for action in bind.children:
        if action.name == "MessagePlugin" and action.arguments and is_ours(action.arguments[0]):
            name = first(action.children, "name")
            return name.arguments[0] if name and name.arguments else ALIAS
    return ""


def normal_key(key: str) -> str:
    """`Alt m` as `alt m`: Zellij's saves write modifiers in their own way and order."""
    *modifiers, bare = key.split(" ") if key.strip() else [key]
    plain = bare if len(bare) == 1 else bare.lower()
    return " ".join([*sorted(modifier.lower() for modifier in modifiers), plain])


def taken(nodes: list[Node], wanted: list[Key]) -> list[tuple[Key, str]]:
    """Those of `wanted` whose key does something else in their mode, with that action's name."""
    bound = {(key.mode, key.key): action for key, action in bound_keys(nodes) if not key.message}
    return [(key, bound[at]) for key in wanted if (at := (key.mode, normal_key(key.key))) in bound]


def clash(key: Key, action: str) -> str:
    instead = "bind another key to it" if key.message == "menu" else "the menu has it"
    what = f"zdriver's {key.message} is not on it: {instead}"
    return f"{key.key} in {key.mode} mode is yours ({action}), so {what}"
