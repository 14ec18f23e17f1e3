"""Which of the files in ``arrives`` has a segment: by the state of its connection.

A chain and no table: the first test decides for nearly every segment.
"""

from halfopen.tcp.arrives import syn_received, syn_sent, synchronized, time_wait
from halfopen.tcp.states import ESTABLISHED, SYNCHRONIZED, State
from halfopen.tcp.tcb import Tcb, done
from halfopen.wire.tcp import Segment


def segment_arrives(tcb: Tcb, seg: Segment, now: int) -> bool:
    """Give a segment to its connection.

    True: it is none of this connection's, which has made way; look for a listener.
    """
    state = tcb.state
    if state is ESTABLISHED:
        synchronized.segment_arrives(tcb, seg, now)
        return False
    if tcb.embryo:
        return _embryo(tcb, seg, now)
    if tcb.minisock:
        return time_wait.segment_arrives(tcb, seg, now)
    if state is State.SYN_SENT:
        syn_sent.segment_arrives(tcb, seg, now)
    else:
        assert state in SYNCHRONIZED or state is State.SYN_RECEIVED, "no connection to speak of"
        synchronized.segment_arrives(tcb, seg, now)
    return False


def _embryo(tcb: Tcb, seg: Segment, now: int) -> bool:
    listening = tcb.listening
    assert listening is not None, "an embryo without a listener"
    if listening.closed:
        done(tcb, now, why="nobody listens any more")
        return True
    if syn_received.segment_arrives(tcb, seg, now):
        synchronized.segment_arrives(tcb, seg, now)
    elif tcb.state is State.CLOSED:
        listening.forget(tcb)
    return False
