"""The transmission control block (RFC 9293 3.3.1), with what Linux keeps beside it.

Sequence numbers are plain ints that never wrap: unwrapped once at input, cut to 32 bits at output.
Durations are ns; a duration of the kernel's timers is a whole number of its 4 ms ticks.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from halfopen.base.units import MS, S
from halfopen.tcp.config import Config
from halfopen.tcp.effects import STATE, Effects, Transition
from halfopen.tcp.minmax import NOTHING, RunningMin
from halfopen.tcp.skb import Skb
from halfopen.tcp.states import TRANSITIONS, State
from halfopen.wire.address import is_v6, spell
from halfopen.wire.tcp import Flow

if TYPE_CHECKING:
    from halfopen.tcp.errqueue import Report
    from halfopen.tcp.listening import Listening

RTO_INITIAL: Final = 1 * S  # RFC 6298 2.1
RTO_FALLBACK: Final = 3 * S  # RFC 6298 5.7; Linux TCP_TIMEOUT_FALLBACK
ATO_MIN: Final = 40 * MS  # Linux TCP_ATO_MIN, also TCP_DELACK_MIN
DELACK_MAX: Final = 200 * MS
MSL2: Final = 60 * S  # LINUX(short-time-wait), a quarter of the RFC's
#: A peer that names no MSS takes so much (RFC 9293 3.7.1; Linux TCP_MSS_DEFAULT).
MSS_DEFAULT: Final = 536
IP_HEADER: Final = 20
IP6_HEADER: Final = 40
TCP_HEADER: Final = 20
TIMESTAMP_OPTION: Final = 12
INITIAL_CWND: Final = 10  # RFC 6928
INFINITE: Final = 1 << 62

# ``xmit_kind``: one timer serves three purposes, never two at once (Linux icsk_pending).
RETRANSMIT: Final = 1
LOSS_PROBE: Final = 2
PERSIST: Final = 3

# ``ca_state`` (Linux tcp_ca_state).
OPEN: Final = 0
DISORDER: Final = 1
RECOVERY: Final = 3
LOSS: Final = 4

# ``ack_pending`` (Linux inet_csk_ack_state_t).
ACK_SCHED: Final = 1
ACK_TIMER: Final = 2
ACK_PUSHED: Final = 4
ACK_PUSHED2: Final = 8
ACK_NOW: Final = 16
ACK_NOMEM: Final = 32


# ``urg_data``: with URG_VALID goes the octet itself (Linux TCP_URG_VALID and its like).
URG_VALID: Final = 0x100
URG_NOTYET: Final = 0x200
URG_READ: Final = 0x400


class Tcb:
    """One connection.

    With slots: beyond 30 attributes CPython keeps a dictionary for each instance, three times as
    big.
    """

    __slots__ = (
        "ack_pending",
        "acked",
        "acked_from",
        "adv_mss",
        "ato_ns",
        "backoff",
        "bound_if",
        "ca_state",
        "config",
        "copied_seq",
        "cork",
        "cwnd",
        "cwnd_at",
        "cwnd_cnt",
        "cwnd_limited",
        "cwnd_seq",
        "cwnd_used",
        "defer_accept",
        "delack_at",
        "departed_at",
        "dsack",
        "dst_confirm",
        "effects",
        "embryo",
        "entry_at",
        "errors",
        "fin_queued",
        "fin_received",
        "flow",
        "frto",
        "high_seq",
        "inflight",
        "ip_header",
        "irs",
        "iss",
        "keepalive",
        "keepalive_at",
        "keepcnt",
        "keepidle_ns",
        "keepintvl_ns",
        "linger2_ns",
        "listening",
        "lost_out",
        "max_window",
        "mdev_max_us",
        "mdev_us4",
        "minisock",
        "msl_at",
        "mss",
        "mss_clamp",
        "mtu",
        "nagle_push",
        "no_room",
        "no_route",
        "nodelay",
        "notsent_lowat",
        "oobinline",
        "ooo",
        "oow_ack_at",
        "orphan",
        "pacing_rate",
        "packets_max",
        "pingpong",
        "predicts",
        "probes_at",
        "probes_out",
        "pushed_seq",
        "quick_acks",
        "rcv_ack_at",
        "rcv_data_at",
        "rcv_last_size",
        "rcv_mss",
        "rcv_nxt",
        "rcv_queued",
        "rcv_rtt_at",
        "rcv_rtt_ecr",
        "rcv_rtt_seq",
        "rcv_rtt_us8",
        "rcv_shutdown",
        "rcv_ssthresh",
        "rcv_up",
        "rcv_wnd",
        "rcv_wscale",
        "rcv_wup",
        "rcvbuf",
        "rcvbuf_locked",
        "rcvlowat",
        "rcvq_at",
        "rcvq_seq",
        "rcvq_space",
        "ready",
        "ready_costs",
        "ready_offset",
        "ready_tailroom",
        "recverr",
        "retrans_at",
        "retrans_out",
        "retransmits",
        "rmem",
        "rto_ns",
        "rtt_least",
        "rtt_min_us",
        "rtt_seq",
        "rttvar_us",
        "sack_ok",
        "sack_room",
        "sacked_out",
        "sacks",
        "scaling_ratio",
        "sent_at",
        "set_aside",
        "snd_nxt",
        "snd_queued",
        "snd_shutdown",
        "snd_sml",
        "snd_una",
        "snd_up",
        "snd_wl1",
        "snd_wnd",
        "snd_wscale",
        "sndbuf",
        "sndbuf_locked",
        "so_error",
        "so_error_soft",
        "srtt_us8",
        "ssthresh",
        "state",
        "syn_retries",
        "syn_sent_at",
        "time_wait_at",
        "tlp_high_seq",
        "tlp_retrans",
        "total_retrans",
        "total_rto",
        "ts_offset",
        "ts_ok",
        "ts_recent",
        "ts_recent_at",
        "unsent",
        "urg_data",
        "user",
        "user_clamp",
        "user_mss",
        "user_timeout_ns",
        "wake",
        "window_clamp",
        "write_seq",
        "write_waits",
        "wscale_ok",
        "xmit_at",
        "xmit_kind",
    )

    def __init__(
        self,
        flow: Flow,
        config: Config,
        effects: Effects,
        *,
        iss: int,
        mtu: int = 1500,
        ts_offset: int = 0,
    ) -> None:
        self.flow = flow  # as we send: local address and port first
        self.config = config
        self.effects = effects
        self.user: object = None  # the socket above; opaque here
        self.bound_if = 0  # it takes what comes by that interface only; 0: by any
        self.state = State.CLOSED
        self.wake = 0
        self.entry_at = INFINITE  # when the world's queue will look at us next; the world sets it

        # What the user did.
        self.orphan = False  # no descriptor left
        self.rcv_shutdown = False
        self.snd_shutdown = False
        self.so_error = 0
        self.so_error_soft = 0
        self.recverr = False  # the user wants to hear of errors at once (IP_RECVERR)
        self.errors: list[Report] | None = None  # the error queue; None: it was never used
        self.nodelay = False
        self.cork = False
        self.nagle_push = False  # what is queued goes, cork or not (Linux TCP_NAGLE_PUSH)
        self.keepalive = False
        self.keepidle_ns = config.keepalive_time_ns
        self.keepintvl_ns = config.keepalive_intvl_ns
        self.keepcnt = config.keepalive_probes
        self.user_timeout_ns = 0
        self.defer_accept = 0  # TCP_DEFER_ACCEPT of who connects: our ACK waits for our text
        self.notsent_lowat = config.notsent_lowat  # so little must be unsent to take more
        self.user_clamp = 0  # TCP_WINDOW_CLAMP, set before the handshake
        self.syn_retries = config.syn_retries
        self.syn_sent_at = 0  # the first SYN left
        self.write_waits = False  # a send waits for the handshake
        self.linger2_ns = config.fin_timeout_ns  # negative: no FIN-WAIT-2 for an orphan

        # Send (RFC 9293 3.3.1); snd_wnd in bytes, scaled.
        self.iss = iss
        self.snd_una = iss
        self.snd_nxt = iss
        self.write_seq = iss  # where the next byte of the user goes
        self.acked_from = iss  # where the octets acknowledged are counted from (Linux bytes_acked)
        self.snd_wnd = 0
        self.snd_wl1 = 0
        self.max_window = 0
        self.snd_sml = iss  # end of the last small segment (Nagle, as Minshall refined it)
        self.pushed_seq = iss
        self.snd_up = iss  # the number behind our urgent octet; urgent while SND.UNA is below it
        self.unsent: deque[Skb] = deque()
        self.inflight: deque[Skb] = deque()
        self.snd_queued = 0  # what counts against sndbuf: text and Linux's overhead
        self.sndbuf = config.wmem_default
        self.sndbuf_locked = False
        self.no_room = False  # a writer was turned away: wake it when there is room

        # Receive.
        self.irs = 0
        self.rcv_nxt = 0
        self.rcv_wnd = 0
        self.rcv_wup = 0
        self.copied_seq = 0
        self.rcv_up = 0  # the number of the urgent octet, while there is one (Linux urg_seq)
        self.urg_data = 0  # what there is of it: URG_NOTYET, URG_READ, or URG_VALID and the octet
        self.oobinline = False  # it stays in the stream (SO_OOBINLINE)
        self.ready: deque[bytes] = deque()
        self.ready_offset = 0
        self.ready_costs: deque[int] = deque()  # of rcvbuf, one for each of ``ready``
        self.ready_tailroom = 0  # what fits into the block of the last of ``ready``
        self.rcv_queued = 0
        self.ooo: list[
            tuple[int, int, bytes, bool, int, int]
        ] = []  # the pieces of reassembly; sorted, not overlapping
        self.sacks: list[tuple[int, int]] = []  # SACK blocks (Linux selective_acks), latest first
        self.dsack: tuple[int, int] | None = None
        self.rcvbuf = config.rmem_default
        self.rcvbuf_locked = False
        self.rcvlowat = 1  # so much must wait for the reader to be told (SO_RCVLOWAT)
        self.rmem = 0  # what the queued data costs
        self.set_aside = 0  # of whole pages taken for it: not used yet (Linux sk_forward_alloc)
        self.predicts = False  # header prediction is on (Linux pred_flags)
        self.window_clamp = 0
        self.rcv_ssthresh = 0
        self.scaling_ratio = 128  # of a packet's memory, what is window; in 256ths

        # What the user reads in a round trip, by which rcvbuf grows (tcp/autotune.py).
        self.rcvq_space = 0
        self.rcvq_seq = 0
        self.rcvq_at = 0
        self.rcv_rtt_us8 = 0
        self.rcv_rtt_seq = 0
        self.rcv_rtt_at: int | None = None
        self.rcv_rtt_ecr = 0
        self.fin_received = False
        self.fin_queued = False  # by itself, until the reader meets it; else it goes with the text

        # Options agreed in the handshake.
        self.mtu = mtu
        self.ip_header = IP6_HEADER if is_v6(flow[0]) else IP_HEADER
        self.adv_mss = mtu - self.ip_header - TCP_HEADER
        self.user_mss = 0
        self.mss_clamp = MSS_DEFAULT
        self.mss = MSS_DEFAULT  # bytes of text in a full segment, options taken off
        self.ts_ok = config.timestamps
        self.ts_offset = ts_offset
        self.ts_recent = 0
        self.ts_recent_at: int | None = None
        self.sack_ok = config.sack
        self.sack_room = 0  # what mss leaves for SACK blocks that ride on text
        self.wscale_ok = config.window_scaling
        self.snd_wscale = 0
        self.rcv_wscale = 0

        # Round-trip time (tcp/rtt.py), in µs; scaled as in Linux tcp_sock.
        self.srtt_us8 = 0
        self.mdev_us4 = 0
        self.mdev_max_us = 0
        self.rttvar_us = 0
        self.rtt_seq = 0
        self.rtt_least: RunningMin | None = None
        self.rtt_min_us = NOTHING  # in the last minutes
        self.rto_ns = RTO_INITIAL

        # Retransmission.
        self.xmit_at: int | None = None
        self.xmit_kind = 0
        self.retransmits = 0
        self.total_rto = 0
        self.total_retrans = 0  # segments sent again, ever
        self.backoff = 0
        self.retrans_at: int | None = None  # the first retransmission of this episode
        self.probes_out = 0
        self.probes_at: int | None = None
        self.tlp_high_seq: int | None = None

        # Congestion (tcp/congestion).
        self.cwnd = INITIAL_CWND
        self.ssthresh = INFINITE
        self.cwnd_cnt = 0
        self.cwnd_limited = False  # cwnd held something back, as of cwnd_seq
        self.cwnd_seq = iss
        self.packets_max = 0  # in flight at once, where cwnd held nothing back
        self.cwnd_used = 0
        self.cwnd_at = 0  # when cwnd was known to be used, or was cut down
        self.pacing_rate = INFINITE  # octets a second; bursts are made by it, nothing waits
        self.ca_state = OPEN
        self.high_seq = iss
        self.sacked_out = (
            0  # of the segments in flight: known to be received (or dup ACKs, without SACK)
        )
        self.lost_out = 0
        self.retrans_out = 0
        self.frto = False
        self.tlp_retrans = False
        self.sent_at = 0  # of the latest data segment
        self.departed_at = 0  # of the latest segment of any kind (Linux tcp_wstamp_ns)

        # Acknowledging.
        self.ack_pending = 0
        self.quick_acks = 0
        self.pingpong = 0
        self.ato_ns = 0
        self.rcv_mss = MSS_DEFAULT
        self.rcv_last_size = 0  # of a segment that may tell a smaller MSS
        self.rcv_data_at = 0  # the latest text arrived
        self.rcv_ack_at = 0  # the latest ACK arrived
        self.delack_at: int | None = None
        self.oow_ack_at: int | None = None  # the latest reply to an unacceptable segment

        self.keepalive_at: int | None = None
        self.time_wait_at = 0  # it became a minisock, or had its TIME-WAIT begun again
        self.msl_at: int | None = None  # end of TIME-WAIT, or of an orphan's FIN-WAIT-2
        self.no_route = 0  # the errno that stands in the way of every segment (net/ip.py)
        self.dst_confirm = False  # the peer's host was heard from (Linux sk_dst_pending_confirm)
        # an orphan in FIN-WAIT-2, and TIME-WAIT, keep next to nothing (Linux inet_timewait_sock)
        self.minisock = False
        self.embryo = False  # in a listener's SYN queue (Linux request_sock)
        self.listening: Listening | None = None  # whom it came to, until accept
        self.acked = False  # its SYN,ACK was, and is waited for text (Linux inet_rsk acked)

    def in_flight(self) -> int:
        """Segments believed to be in the network (RFC 6675 pipe; Linux tcp_packets_in_flight)."""
        return len(self.inflight) - self.sacked_out - self.lost_out + self.retrans_out

    def has_room(self) -> bool:
        """Whether ``send`` would take at least a byte now (Linux sk_stream_memory_free)."""
        unsent = self.write_seq - self.snd_nxt
        return self.snd_queued < self.sndbuf and unsent < self.notsent_lowat

    def writeable(self) -> bool:
        """Whether poll says POLLOUT: a third of the buffer is free, and little enough is unsent.

        Linux sk_stream_is_writeable, tcp_stream_memory_free.
        """
        unsent = self.write_seq - self.snd_nxt
        free = self.sndbuf - self.snd_queued
        return free >= self.snd_queued >> 1 and 2 * unsent < self.notsent_lowat

    @property
    def conn(self) -> str:
        """The connection's name in a trace, local end first."""
        source, sport, destination, dport = self.flow
        return f"{spell(source, sport)} > {spell(destination, dport)}"


def enter(tcb: Tcb, state: State, now: int, *, why: str) -> None:
    """Move to a state: the only place where a state changes."""
    old = tcb.state
    assert state in TRANSITIONS[old], f"{old.name} -> {state.name} is not a legal move ({why})"
    tcb.state = state
    if tcb.effects.traced:
        tcb.effects.history.append(Transition(now, tcb, old, state, why))
    if state is State.CLOSED:
        tcb.effects.gone.append(tcb)
    elif state is State.ESTABLISHED:
        wake(tcb, STATE)


def wake(tcb: Tcb, bits: int) -> None:
    """Ask the layer above to look again."""
    if tcb.orphan:
        return
    if not tcb.wake:
        tcb.effects.woken.append(tcb)
    tcb.wake |= bits


def send_as_ipv4(tcb: Tcb, mtu: int) -> None:
    """Let a connection have the room of IPv4's packets. Requires: nothing was sent."""
    tcb.mtu = mtu
    tcb.ip_header = IP_HEADER
    tcb.adv_mss = mtu - IP_HEADER - TCP_HEADER


def done(tcb: Tcb, now: int, *, why: str, error: int = 0) -> None:
    """End the connection (Linux tcp_done).

    Both directions shut, timers off, the send queue dropped.

    What was received stays readable. ``error`` is what the user's next call gets, once.
    """
    if error:
        tcb.so_error = error
    tcb.unsent.clear()
    tcb.inflight.clear()
    tcb.snd_queued = 0
    tcb.ooo.clear()
    tcb.sacks.clear()
    tcb.rcv_shutdown = True
    tcb.snd_shutdown = True
    tcb.xmit_at = tcb.delack_at = tcb.keepalive_at = tcb.msl_at = None
    tcb.ack_pending = 0
    enter(tcb, State.CLOSED, now, why=why)
    wake(tcb, STATE)
