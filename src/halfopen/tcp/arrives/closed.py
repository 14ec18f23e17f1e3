"""A segment for which there is no connection (RFC 9293 3.10.7.1)."""

from halfopen.tcp.effects import Effects
from halfopen.tcp.emit import refuse
from halfopen.wire.tcp import Segment


def segment_arrives(seg: Segment, effects: Effects) -> None:
    """Answer with an RST, unless the segment is one (Linux tcp_v4_send_reset)."""
    refuse(seg, effects)
