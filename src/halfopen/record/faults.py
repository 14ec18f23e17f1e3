"""What may go wrong. A fault is a value; each arm knows how to make it happen."""

from dataclasses import fields
from typing import Any, Final, Literal, TypeAlias, get_args

from halfopen.base.value import value


@value
class Kill:
    """End a process at once; no guest code runs. Its host's kernel closes its sockets."""

    process: str
    signal: str = "SIGKILL"


@value
class PowerOff:
    """Take power from a host: processes and kernel vanish, nothing is sent, ever."""

    host: str


@value
class PowerOn:
    """Give power back: the host boots with a kernel that knows none of the old connections."""

    host: str


@value
class CableOut:
    """Let a link carry nothing, in both directions, or only towards ``towards``.

    ``seen_by`` lists the hosts whose interface loses carrier (a near cable); empty: nobody sees it
    (a far cable).
    """

    link: str
    seen_by: tuple[str, ...] = ()
    towards: str | None = None


@value
class CableIn:
    """Plug a link in again, both directions; carrier returns."""

    link: str


@value
class Stop:
    """Freeze a process (SIGSTOP): it runs no more, its host's kernel goes on for it."""

    process: str


@value
class Continue:
    """Let a frozen process go on (SIGCONT)."""

    process: str


@value
class InterfaceDown:
    """Take a host's first interface down (``ip link set down``): its routes are gone."""

    host: str


@value
class InterfaceUp:
    """Take a host's first interface up again, with the routes that it had."""

    host: str


@value
class AddressGone:
    """Take an address from a host (``ip address del``)."""

    host: str
    address: str


#: Which packets a fault on the way picks.
Pick: TypeAlias = Literal["any", "SYN", "SYN,ACK", "text", "bare ACK", "FIN", "RST"]


@value
class Lose:
    """Let the next ``count`` packets towards a host get lost on the way."""

    link: str
    towards: str
    count: int = 1
    pick: Pick = "any"


@value
class Duplicate:
    """Let the next ``count`` packets towards a host arrive twice."""

    link: str
    towards: str
    count: int = 1
    pick: Pick = "any"


@value
class Impair:
    """Make one way of a link worse from now on; with nothing given it is good again.

    Of a thousand packets so many are lost, doubled, overtaken (they arrive up to ``late_ns`` later)
    or damaged (a bit is flipped), by chance. ``rate_bps``: bits per second that the way carries, 0
    for any number; ``queue``: packets that wait for it, the next one is dropped.
    """

    link: str
    towards: str
    loss: int = 0
    duplicate: int = 0
    reorder: int = 0
    corrupt: int = 0
    late_ns: int = 10_000_000
    rate_bps: int = 0
    queue: int = 1000


@value
class Unreachable:
    """Let a router on the way drop the next ``count`` packets towards a host, and say so by ICMP.

    ``kind`` and ``code`` are those of the message (RFC 792; kind 3: destination unreachable; for a
    packet of IPv6 those of RFC 4443). One that says that a packet is too big carries ``mtu``.
    """

    link: str
    towards: str
    code: int
    kind: int = 3
    count: int = 1
    mtu: int = 0
    pick: Pick = "any"


@value
class Forge:
    """Send a segment to a host in its peer's name.

    It goes on where the peer's last segment on this link ended: ``seq`` and ``ack`` move its
    numbers from there. ``flags`` as ``RST,ACK``; ``text`` is ASCII.
    """

    link: str
    towards: str
    flags: str
    seq: int = 0
    ack: int = 0
    text: str = ""


Fault: TypeAlias = (
    Kill
    | PowerOff
    | PowerOn
    | CableOut
    | CableIn
    | Stop
    | Continue
    | InterfaceDown
    | InterfaceUp
    | AddressGone
    | Lose
    | Duplicate
    | Unreachable
    | Forge
    | Impair
)


def describe_fault(fault: Fault) -> str:  # noqa: C901, PLR0911, PLR0912  one arm for each fault
    """Say a fault in a few words, as the ladder and the reports do."""
    match fault:
        case Kill():
            return f"{fault.signal} to {fault.process}"
        case PowerOff():
            return f"power off: {fault.host}"
        case PowerOn():
            return f"power on: {fault.host}"
        case CableOut(towards=None):
            seen = f", carrier lost at {', '.join(fault.seen_by)}" if fault.seen_by else ""
            return f"cable out: {fault.link}{seen}"
        case CableOut():
            return f"cable out: {fault.link}, towards {fault.towards}"
        case CableIn():
            return f"cable in: {fault.link}"
        case Stop():
            return f"SIGSTOP to {fault.process}"
        case Continue():
            return f"SIGCONT to {fault.process}"
        case InterfaceDown():
            return f"interface down: {fault.host}"
        case InterfaceUp():
            return f"interface up: {fault.host}"
        case AddressGone():
            return f"address removed: {fault.address} at {fault.host}"
        case Lose():
            return f"lost on the way to {fault.towards}: {_next(fault.count, fault.pick)}"
        case Duplicate():
            return f"doubled on the way to {fault.towards}: {_next(fault.count, fault.pick)}"
        case Unreachable():
            what = _next(fault.count, fault.pick)
            return f"ICMP {fault.kind}/{fault.code} for {what} to {fault.towards}"
        case Forge():
            return f"forged {fault.flags} to {fault.towards}, seq {fault.seq:+d}"
        case Impair():
            return f"the way to {fault.towards}: {_worse(fault)}"


def _worse(fault: Impair) -> str:
    chances = {
        "lost": fault.loss,
        "doubled": fault.duplicate,
        "overtaken": fault.reorder,
        "damaged": fault.corrupt,
    }
    parts = [f"{chance} of 1000 {what}" for what, chance in chances.items() if chance]
    if fault.rate_bps:
        parts.append(f"{fault.rate_bps} bit/s, {fault.queue} packets wait")
    return ", ".join(parts) or "good again"


def _next(count: int, pick: Pick) -> str:
    what = "packet" if pick == "any" else pick
    return f"the next {what}" if count == 1 else f"the next {count} of {what}"


_KINDS: Final[dict[str, Any]] = {kind.__name__: kind for kind in get_args(Fault)}


def fault_to_json(fault: Fault) -> dict[str, Any]:
    """Write a fault with the name of its class and its fields by name."""
    return {"fault": type(fault).__name__} | {f.name: getattr(fault, f.name) for f in fields(fault)}


def fault_from_json(body: dict[str, Any]) -> Fault:
    """Read what ``fault_to_json`` wrote.

    Raises KeyError or TypeError where it is no fault of ours.
    """
    named = dict(body)
    kind = _KINDS[named.pop("fault")]
    if "seen_by" in named:
        named["seen_by"] = tuple(named["seen_by"])
    fault: Fault = kind(**named)
    return fault
