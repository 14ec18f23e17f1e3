"""N21: bind to each kind of address: must it be the host's own, and what else is good for what."""

import contextlib
import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.faults import AddressGone
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, OnMark, Step, Variant, each
from halfopen.scenario.notes import addressed
from halfopen.scenario.notes.addressed import KINDS, PORT, gave, name

OWN_PORT: Final = 7000
#: Linux's numbers; the standard library does not name them.
IP_FREEBIND: Final = 15
#: When the address is taken away, and when the program goes on.
GONE_AFTER_NS: Final = 20 * MS
GOES_ON: Final = 0.04
PATIENCE: Final = 0.06
HORIZON_NS: Final = 200 * MS

_OWN: Final = ("10.0.0.1", "10.0.0.9", "2001:db8::1", "2001:db8::9", "fe80::1%2", "::ffff:10.0.0.1")
_LOOPBACK: Final = ("127.0.0.1", "127.9.9.9", "::1")
_ALL: Final = ("0.0.0.0", "::")
_GROUPS: Final = ("255.255.255.255", "224.0.0.1", "ff02::1%2")
#: The peer's, and nobody's.
_OTHERS: Final = ("10.0.0.2", "10.9.9.9", "2001:db8::2", "2001:db8::99", "::ffff:10.9.9.9")
_FOREIGN: Final = ("10.9.9.9", "2001:db8::99")
_ALLOWED: Final = ("IP_FREEBIND", "ip_nonlocal_bind")


def client(lab: Lab) -> None:
    """Bind, and try what the socket is good for: let something be sent from it."""
    own = lab.settings["address"].split(",")[0]
    sock = socket.socket(addressed.family(own), KINDS[lab.settings["socket"]])
    if lab.settings["allowed by"] == "IP_FREEBIND":
        sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    bound = False
    with contextlib.suppress(OSError):
        sock.bind(name(own, OWN_PORT))
        bound = True
    sock.getsockname()
    lab.mark("bound")
    time.sleep(GOES_ON)
    if bound and own not in {"127.9.9.9", "::1"}:
        sock.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            if sock.type == socket.SOCK_STREAM:
                sock.connect(_there(own))
            else:
                sock.sendto(b"x", _there(own))
    sock.close()


def _there(own: str) -> addressed.Name:
    """The peer's address that one can be reached from this one."""
    if own.startswith("fe80"):
        return name("fe80::2%2", PORT)
    if "ffff" in own:
        return name("::ffff:10.0.0.2", PORT)
    return name("2001:db8::2" if ":" in own else "10.0.0.2", PORT)


def _variant(settings: dict[str, str]) -> Variant:
    nonlocal_bind = int(settings["allowed by"] == "ip_nonlocal_bind")
    steps: tuple[Step, ...] = ()
    if "," in settings["address"]:
        gone = AddressGone(host="client", address=settings["address"].split(",")[0])
        at = OnMark(process="client", name="bound", delay_ns=GONE_AFTER_NS)
        steps = (Step(when=at, fault=gone),)
    return addressed.variant(
        settings,
        client=client,
        horizon_ns=HORIZON_NS,
        client_sysctl={f"net.{ip}.ip_nonlocal_bind": nonlocal_bind for ip in ("ipv4", "ipv6")},
        steps=steps,
    )


_GONE: Final = "10.0.0.9, taken away afterwards"
_VARIANTS: Final = tuple(
    _variant(settings)
    for settings in (
        *each(
            socket=tuple(KINDS),
            address=(*_OWN, *_LOOPBACK, *_ALL, *_GROUPS, *_OTHERS, _GONE),
            **{"allowed by": ("nothing",)},
        ),
        *each(socket=tuple(KINDS), address=_FOREIGN, **{"allowed by": _ALLOWED}),
    )
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what bind gave, and what left the host from that address."""
    free: dict[str, set[object]] = {}
    allowed, from_foreign = [], {4: 0, 6: 0}
    refused_by: set[str] = set()
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        own = settings["address"]
        (bind,) = calls(trace, process="client", call="bind")
        (shown,) = addressed.names(trace, "client")
        if bind.errno is None:
            assert shown == [own.split(",")[0].partition("%")[0], OWN_PORT], "getsockname shows it"
        if settings["allowed by"] == "nothing":
            free.setdefault(own, set()).add(gave(bind))
            continue
        allowed.append(bind.errno is None)
        use = _use(trace)
        sources = {packet.src for packet in addressed.sent(trace, "client")}
        version = 6 if ":" in own else 4
        if own in sources:
            from_foreign[version] += 1
        else:
            assert use.errno is not None, "where nothing leaves, the call says so"
            refused_by.add(use.errno)
    assert all(allowed), "the option and the sysctl let it be bound"
    assert all(free[own] == {None} for own in (*_OWN, *_LOOPBACK, *_ALL)), "these are the host's"
    assert {error for own in _OTHERS for error in free[own]} == {"EADDRNOTAVAIL"}, "these are not"
    groups = [own for own in _GROUPS if free[own] == {None}]
    refused = [own.partition("%")[0] for own in _GROUPS if own not in groups]
    assert set(groups) == {"255.255.255.255", "224.0.0.1"}
    assert free["ff02::1%2"] == {None, "EINVAL"}, "TCP has no groups of IPv6"
    assert from_foreign[6] == len(allowed) // 2
    assert not from_foreign[4]
    gone = _after_loss(runs)
    (unsent,) = refused_by
    foreign, ways = len(_OTHERS), " or ".join(_ALLOWED)
    return Answer(
        verdict="qualified",
        text=(
            f"By default yes: of {foreign} addresses of the peer or of nobody each gives "
            "EADDRNOTAVAIL. It need not be one interface's own: 0.0.0.0 and ::, and all of "
            f"127.0.0.0/8 are taken. {ways} lets bind take any address ({sum(allowed)} of "
            f"{len(allowed)} runs); but from an IPv4 one nothing can be sent ({unsent}), while "
            "IPv6 does send. bind looks only once: an address that is taken away later stays "
            f"bound, and connect gives {gone}."
        ),
        zh=(
            f"默认必须：对端或无主的 {foreign} 个地址，bind 都返回 EADDRNOTAVAIL。但不必属于某一个"
            f"接口：0.0.0.0 和 ::、整个 127.0.0.0/8 都可以。{' 或 '.join(_ALLOWED)} 允许绑定任何地"
            f"址（{sum(allowed)} 次，共 {len(allowed)} 次）；但 IPv4 不能从这样的地址发送"
            f"（{unsent}），IPv6 则可以。只在 bind 时检查一次：之后被删除的地址仍然绑定着，这时 "
            f"connect 返回 {gone}。"
        ),
        more=(
            f"For listening even {' and '.join(groups)} are taken; {refused[0]} only by UDP (TCP: "
            f"EINVAL). It is connect and sendto that give {unsent}."
        ),
        more_zh=(
            f"用来监听时，甚至 {' 和 '.join(groups)} 也可以；{refused[0]} 只有 UDP 可以（TCP 得 "
            f"EINVAL）。返回 {unsent} 的是 connect 和 sendto。"
        ),
    )


def _use(trace: Trace) -> Call:
    """The call that sends something."""
    (use,) = [c for c in calls(trace, process="client") if c.call in {"connect", "sendto"}]
    return use


def _after_loss(runs: Mapping[str, Trace]) -> str:
    """What is told to who sends from an address that is the host's no longer."""
    told = {_use(runs[v.name]).errno for v in _VARIANTS if v.settings["address"] == _GONE}
    (error,) = told
    assert error is not None, "nothing is sent"
    return error


NOTE: Final = Note(
    id="N21",
    question="Must an address given to bind belong to an interface of the host?",
    question_zh="bind 的地址必须属于本机的某个接口吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "Linux __inet_bind",
        "Linux inet_addr_valid_or_nonlocal",
        "Linux __inet6_bind",
        "Linux ip_route_output_key_hash_rcu",
    ),
    words=(
        "bind",
        "EADDRNOTAVAIL",
        "Cannot assign requested address",
        "IP_FREEBIND",
        "ip_nonlocal_bind",
        "virtual IP",
        "interface",
    ),
    tells=(
        ("client", "bind"),
        ("client", "connect"),
        ("client", "sendto"),
    ),
)
