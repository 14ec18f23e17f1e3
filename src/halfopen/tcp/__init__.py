"""One connection, sans I/O: (Tcb, segment or call or deadline, now) -> effects."""
