"""What the user may say of a socket: its options, kept beside the Tcb (Linux ``struct sock``).

What is set before ``connect``, or inherited from a listener, is put into the Tcb when there is one
(``apply``); what changes later goes to both. The tables of getsockopt and setsockopt are in
``sockopt_socket`` and its neighbours, one for each level.
"""

from typing import Final

from halfopen.tcp.config import Config
from halfopen.tcp.tcb import Tcb
from halfopen.wire.address import is_v6

#: The hop limit of IPv6 where the user says nothing (net.ipv6.conf.all.hop_limit).
HOPS_DEFAULT: Final = 64
#: The fields of ``Options``, for ``copy``; a test holds them against ``__init__``.
FIELDS: Final = (
    "reuseaddr",
    "reuseport",
    "broadcast",
    "dontroute",
    "oobinline",
    "recverr",
    "recverr6",
    "freebind",
    "bind_address_no_port",
    "priority",
    "mark",
    "tos",
    "ttl",
    "rcvlowat",
    "rcvtimeo_ns",
    "sndtimeo_ns",
    "linger",
    "linger_s",
    "rcvbuf",
    "rcvbuf_locked",
    "sndbuf",
    "sndbuf_locked",
    "keepalive",
    "keepidle_ns",
    "keepintvl_ns",
    "keepcnt",
    "nodelay",
    "cork",
    "maxseg",
    "syncnt",
    "linger2_ns",
    "user_timeout_ns",
    "notsent_lowat",
    "window_clamp",
    "hops",
    "tclass",
    "quickack",
    "defer_accept",
)


class Options:
    """What the user said of one socket. Durations in ns; a timeout of None waits for ever.

    An accepted socket shares its listener's until one of them is changed (``kept.own``).
    """

    def __init__(self, config: Config) -> None:
        self.shared = False
        self.reuseaddr = False
        self.reuseport = False
        self.broadcast = False
        self.dontroute = False
        self.oobinline = False
        self.recverr = False  # IP_RECVERR
        self.recverr6 = False  # IPV6_RECVERR
        self.freebind = False
        self.bind_address_no_port = False
        self.priority = 0
        self.mark = 0
        self.tos = 0  # IP_TOS
        self.ttl = -1  # IP_TTL; -1: as the host does
        self.rcvlowat = 1
        self.rcvtimeo_ns: int | None = None
        self.sndtimeo_ns: int | None = None
        self.linger = False
        self.linger_s = 0
        self.rcvbuf = config.rmem_default
        self.rcvbuf_locked = False
        self.sndbuf = config.wmem_default
        self.sndbuf_locked = False
        self.keepalive = False
        self.keepidle_ns = config.keepalive_time_ns
        self.keepintvl_ns = config.keepalive_intvl_ns
        self.keepcnt = config.keepalive_probes
        self.nodelay = False
        self.cork = False
        self.maxseg = 0
        self.syncnt = 0  # not set: tcp_syn_retries, and of a listener tcp_synack_retries
        self.linger2_ns = config.fin_timeout_ns
        self.user_timeout_ns = 0
        self.notsent_lowat = 0  # 0: not set, tcp_notsent_lowat
        self.window_clamp = 0
        self.hops = -1  # IPV6_UNICAST_HOPS; -1: as the host does
        self.tclass = 0  # IPV6_TCLASS
        self.quickack = True
        self.defer_accept = 0  # in timeouts of a SYN,ACK

    def copy(self, config: Config) -> "Options":
        """Make a second set that says the same."""
        other = Options(config)
        for name in FIELDS:
            setattr(other, name, getattr(self, name))
        return other

    def recverr_of(self, *, v6: bool) -> bool:
        """Whether the user wants to hear at once of errors of IPv4, or of IPv6."""
        return self.recverr6 if v6 else self.recverr

    def apply(self, tcb: Tcb) -> None:
        """Tell a connection that has just been made."""
        tcb.nodelay = self.nodelay
        tcb.cork = self.cork
        tcb.keepalive = self.keepalive
        tcb.keepidle_ns = self.keepidle_ns
        tcb.keepintvl_ns = self.keepintvl_ns
        tcb.keepcnt = self.keepcnt
        tcb.user_timeout_ns = self.user_timeout_ns
        tcb.notsent_lowat = self.notsent_lowat or tcb.config.notsent_lowat
        tcb.user_clamp = self.window_clamp
        tcb.syn_retries = self.syncnt or tcb.config.syn_retries
        tcb.linger2_ns = self.linger2_ns
        tcb.user_mss = self.maxseg
        tcb.rcvlowat = self.rcvlowat
        tcb.oobinline = self.oobinline
        tcb.recverr = self.recverr_of(v6=is_v6(tcb.flow[0]))
        tcb.defer_accept = self.defer_accept
        if not self.quickack:
            tcb.pingpong = tcb.config.pingpong_thresh
        if self.rcvbuf > tcb.rcvbuf:  # SO_RCVLOWAT wanted more
            tcb.rcvbuf = self.rcvbuf
        if self.rcvbuf_locked:
            tcb.rcvbuf = self.rcvbuf
            tcb.rcvbuf_locked = True
        if self.sndbuf_locked:
            tcb.sndbuf = self.sndbuf
            tcb.sndbuf_locked = True
