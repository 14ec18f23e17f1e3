"""BSD sockets of one host; the only place that raises OSError."""
