"""Bytes to events: server-sent events and newline-delimited JSON. Sans-I/O."""
