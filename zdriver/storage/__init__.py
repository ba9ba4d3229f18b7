"""Where everything is kept: one port, several engines."""
