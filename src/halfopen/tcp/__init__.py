"""One TCP connection, sans I/O: (Tcb, Segment | call | deadline, now) -> effects."""
