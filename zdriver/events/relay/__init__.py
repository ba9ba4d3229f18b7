"""From the event log to a sink: what is due, in which order, and what becomes of a refusal."""
