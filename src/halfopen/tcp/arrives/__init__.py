"""SEGMENT ARRIVES (RFC 9293 3.10.7), cut as the RFC cuts it; ``dispatch`` picks by state."""
