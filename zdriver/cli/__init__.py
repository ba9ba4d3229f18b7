"""The `zdriver` command: parse, call, print."""
