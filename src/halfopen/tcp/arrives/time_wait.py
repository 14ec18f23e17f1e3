"""A segment for what is left of a connection: TIME-WAIT, and FIN-WAIT-2 of an orphan.

RFC 9293 3.10.7.4 as Linux tcp_timewait_state_process has it: only sequence numbers, the window
and the latest timestamp are left to judge by.
"""

from typing import Final

from halfopen.tcp import paws, timers
from halfopen.tcp.challenge import allows
from halfopen.tcp.emit import refuse, send_ack
from halfopen.tcp.states import State
from halfopen.tcp.tcb import MSL2, Tcb, done, enter
from halfopen.tcp.window import in_window
from halfopen.wire.seq import lt, unwrap, wrap
from halfopen.wire.tcp import ACK, FIN, RST, SYN, Segment

#: A new connection's sequence numbers begin so far behind the old one's (Linux).
ISS_DISTANCE: Final = 65535 + 2


def segment_arrives(tcb: Tcb, seg: Segment, now: int) -> bool:
    """Take a segment; True: it is the SYN of a new connection, if somebody listens."""
    seq = unwrap(seg.seq, tcb.rcv_nxt)
    end = seq + seg.seq_len()
    if tcb.state is State.FIN_WAIT_2:
        fin_wait_2(tcb, seg, now, seq=seq, end=end)
        return False
    return time_wait(tcb, seg, now, seq=seq, end=end)


def fin_wait_2(tcb: Tcb, seg: Segment, now: int, *, seq: int, end: int) -> None:
    """Wait for the peer's FIN; text that nobody will read is answered with an RST."""
    right = tcb.rcv_nxt + tcb.rcv_wnd
    if paws.rejects(tcb, seg, now) or not in_window(
        seq=seq, end=end, left=tcb.rcv_nxt, right=right
    ):
        acknowledge(tcb, seg, now)
        return
    if seg.flags & RST:
        done(tcb, now, why="RST received")
        return
    if seg.flags & SYN and seq >= tcb.rcv_nxt:
        refuse(seg, tcb.effects)
        done(tcb, now, why="SYN in the window")
        return
    if not seg.flags & ACK or end <= tcb.rcv_nxt or end == seq:
        return
    if not seg.flags & FIN or end != tcb.rcv_nxt + 1:
        refuse(seg, tcb.effects)
        done(tcb, now, why="text after close")
        return
    tcb.rcv_nxt = end
    _keep_timestamp(tcb, seg, now)
    enter(tcb, State.TIME_WAIT, now, why="FIN received")
    stay(tcb, now)
    send_ack(tcb, now)


def time_wait(tcb: Tcb, seg: Segment, now: int, *, seq: int, end: int) -> bool:
    """Answer what is repeated, and make way for a new connection; True: this is its SYN."""
    rejected = paws.rejects(tcb, seg, now)
    flags = seg.flags
    if not rejected and seq == tcb.rcv_nxt and (seq == end or flags & RST):
        if not flags & RST:
            stay(tcb, now)
            _keep_timestamp(tcb, seg, now)
        elif not tcb.config.rfc1337:  # RFC 1337 3 would keep it
            done(tcb, now, why="RST received")
        return False
    if flags & (SYN | RST | ACK) == SYN and not rejected and _is_new(tcb, seg, seq):
        return True
    if not flags & RST:
        if rejected or flags & ACK:
            stay(tcb, now)
        acknowledge(tcb, seg, now)
    return False


def acknowledge(tcb: Tcb, seg: Segment, now: int) -> None:
    """Say where we are, not too often (Linux tcp_timewait_check_oow_rate_limit)."""
    if allows(tcb, seg, now):
        send_ack(tcb, now)


def _is_new(tcb: Tcb, seg: Segment, seq: int) -> bool:
    """Whether a SYN can't be an old one: by its sequence number or its timestamp (RFC 6191 2)."""
    if seq > tcb.rcv_nxt:
        return True
    return tcb.ts_ok and seg.ts_val >= 0 and lt(tcb.ts_recent, seg.ts_val)


def stay(tcb: Tcb, now: int) -> None:
    """Begin the 2MSL again."""
    tcb.time_wait_at = now
    timers.set_msl(tcb, MSL2, now)


def _keep_timestamp(tcb: Tcb, seg: Segment, now: int) -> None:
    if tcb.ts_ok and seg.ts_val >= 0:
        tcb.ts_recent = seg.ts_val
        tcb.ts_recent_at = now


def next_iss(tcb: Tcb) -> int:
    """Return the initial sequence number of the connection that takes this one's place."""
    return wrap(tcb.snd_nxt + ISS_DISTANCE) or 1  # 0 stands for none yet
