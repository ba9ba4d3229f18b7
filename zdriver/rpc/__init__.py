"""JSON-RPC 2.0 lines over a Unix socket: framing, method table, server, client."""
