"""A passive OPEN: the SYN queue and the accept queue of a listener (RFC 9293 3.10.1)."""

from collections import deque
from typing import Final, Protocol

from halfopen.tcp.config import Config
from halfopen.tcp.effects import Effects
from halfopen.tcp.iss import Secret
from halfopen.tcp.tcb import Tcb
from halfopen.wire.address import zone_of
from halfopen.wire.tcp import Flow

#: A SYN queue that is not half as long is not crowded, however small the backlog.
ROOMY: Final = 8
#: A crowd does not take the last repetitions of a SYN,ACK.
RETRIES_LEAST: Final = 2


class Owner(Protocol):
    """The socket that listens: it hands its options down to the connections that come."""

    def inherit(self, tcb: Tcb) -> None:
        """Tell a new connection what was set on the listener."""

    def shares(self) -> bool:
        """Whether it may share its port with others that listen (SO_REUSEPORT)."""


class Listening:
    """A listener. ``embryos`` is its SYN queue, in order of arrival; ``ready`` waits for accept.

    A listener that is closed forgets its embryos: each goes at its next segment or timer.
    """

    def __init__(
        self, owner: Owner, config: Config, effects: Effects, secret: Secret, *, backlog: int
    ) -> None:
        self.user: Owner = owner
        self.config = config
        self.effects = effects
        self.secret = secret
        self.backlog = backlog
        self.bound_if = 0  # as of a Tcb
        self.v6 = False  # its socket is one of AF_INET6
        self.v6only = False
        self.group: list[Listening] = []  # with whom it shares the peers, itself among them
        self.mapped = False  # its socket sends IPv4, whatever its family (Linux ipv6_mapped)
        self.syn_retries = 0  # by TCP_SYNCNT; 0: tcp_synack_retries
        self.defer_accept = 0  # by TCP_DEFER_ACCEPT; so many timeouts long text is waited for
        self.embryos: dict[Tcb, None] = {}
        self.ready: deque[Tcb] = deque()
        self.closed = False
        self.cookie_at: int | None = None  # a SYN cookie was sent, to the second

    @property
    def syn_queue_full(self) -> bool:
        """Whether no further SYN is kept: one more than the backlog may be.

        Linux inet_csk_reqsk_queue_is_full.
        """
        return len(self.embryos) > self.backlog

    @property
    def synack_retries(self) -> int:
        """How often a SYN,ACK is repeated: less where old embryos crowd the queue, twice at least.

        Linux reqsk_timer_handler: where most are still young, the old ones are left their time.
        """
        retries = self.syn_retries or self.config.synack_retries
        waiting = len(self.embryos)
        if 2 * waiting <= max(ROOMY, self.backlog):
            return retries
        young = 2 * sum(not tcb.retransmits for tcb in self.embryos)
        while retries > RETRIES_LEAST and waiting >= young:
            retries -= 1
            young *= 2
        return retries

    @property
    def last_quarter(self) -> bool:
        """Whether only the last quarter of tcp_max_syn_backlog is left (Linux tcp_conn_request)."""
        most = self.config.max_syn_backlog
        return most - len(self.embryos) < most >> 2

    @property
    def accept_queue_full(self) -> bool:
        """Whether nobody more can wait for accept: one more than the backlog may.

        Linux sk_acceptq_is_full.
        """
        return len(self.ready) > self.backlog

    def new_embryo(self, flow: Flow, now: int, *, mtu: int, iss: int | None) -> Tcb:
        """Begin a connection for a SYN that came, and keep it; ``flow`` is as we send."""
        iss = self.secret.iss(flow, now) if iss is None else iss
        tcb = self.new_child(flow, iss=iss, mtu=mtu)
        self.embryos[tcb] = None
        return tcb

    def new_child(self, flow: Flow, *, iss: int, mtu: int) -> Tcb:
        """Make an embryo that stands in no queue."""
        tcb = Tcb(
            flow,
            self.config,
            self.effects,
            iss=iss,
            mtu=mtu,
            ts_offset=self.secret.ts_offset(flow),
        )
        tcb.listening = self
        tcb.bound_if = self.bound_if or zone_of(flow[2])
        tcb.embryo = True
        self.user.inherit(tcb)
        return tcb

    def hatch(self, tcb: Tcb) -> None:
        """Let an embryo whose handshake is over wait for accept."""
        self.embryos.pop(tcb, None)
        tcb.embryo = False
        self.ready.append(tcb)
        self.effects.ready.append(self)

    def accept(self) -> Tcb:
        """Hand out who has waited longest. Requires: somebody waits."""
        tcb = self.ready.popleft()
        tcb.listening = None
        return tcb

    def forget(self, tcb: Tcb) -> None:
        """Take an embryo out of the SYN queue."""
        del self.embryos[tcb]
