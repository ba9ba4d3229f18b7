#!/bin/sh
# Builds the plugin and puts it where the Python package carries it: zdriver/data/zdriver.wasm.
#
# Needs Rust with the target wasm32-wasip1: rustup adds it, or, where rustup cannot download,
# `apt-get install rustc cargo libstd-rust-dev-wasm32 lld` of Debian forky or newer has it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out="$here/../zdriver/data/zdriver.wasm"
target=wasm32-wasip1
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/zdriver/plugin-target}
export CARGO_TARGET_DIR

command -v cargo >/dev/null || {
    echo "zdriver: there is no cargo; install Rust from https://rustup.rs, or Debian's rustc and cargo" >&2
    exit 1
}

has_target() {
    libdir=$(rustc --print target-libdir --target "$target" 2>/dev/null) && [ -d "$libdir" ]
}
if ! has_target && command -v rustup >/dev/null; then
    rustup target add "$target" || true
fi
has_target || {
    echo "zdriver: Rust cannot build for $target; run 'rustup target add $target'," \
        "or on Debian forky or newer 'apt-get install libstd-rust-dev-wasm32 lld'" >&2
    exit 1
}

# No path of this machine ends up in the file. Debian's Rust has no linker for wasm of its own.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
flags="--remap-path-prefix=$here=zellij-plugin --remap-path-prefix=$cargo_home=cargo"
flags="$flags --remap-path-prefix=$(rustc --print sysroot)=rust"
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld
if [ ! -x "$linker" ] && command -v wasm-ld >/dev/null; then
    flags="$flags -C linker=wasm-ld"
fi

cd "$here"
RUSTFLAGS=$flags cargo build --release --locked --target "$target" -p zdriver-plugin "$@"

mkdir -p "$(dirname "$out")"
cp "$CARGO_TARGET_DIR/$target/release/zdriver.wasm" "$out.new"
mv "$out.new" "$out"
echo "built $(cd "$(dirname "$out")" && pwd)/zdriver.wasm: $(wc -c <"$out") bytes"
