"""The daemon: the one place that wires services, store, bridges and sockets together."""
