"""Hooks, copies and ports of `.zdriver.toml`, with real git and a real store."""
