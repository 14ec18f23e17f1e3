"""N48: SO_LINGER off; whether close returns at once, and what becomes of what is left to send."""

from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MINUTE, MS, show_duration
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import lingering
from halfopen.scenario.notes.reading import segments_from, stays
from halfopen.scenario.notes.unread import CLIENT, octets_read
from halfopen.wire.tcp import RST

HORIZON_NS: Final = 2440 * MS
DEFAULT_HORIZON_NS: Final = 6 * MINUTE
PEERS: Final = ("reads", "reads late", "never reads", "cable out and in", "host off")
OTHERWISE: Final = ("close, non-blocking", "close, duplicate first", "os._exit", "exit", "SIGKILL")


def client(lab: Lab) -> None:
    """Write, and let go of the socket while that is on its way; SO_LINGER is off."""
    sock = lingering.connected(lab)
    if lab.settings["SO_LINGER"] == "set off":
        lingering.linger(sock, on=True, seconds=1)
        lingering.linger(sock, on=False, seconds=1)
    lingering.write(sock, lab.settings["pending"])
    lab.mark("ends")
    lingering.ENDS[lab.settings["ends by"]](sock)
    lab.mark("goes on")


def _variant(settings: Mapping[str, str], *, because: str = "") -> Variant:
    return lingering.variant(
        settings, client, horizon_ns=DEFAULT_HORIZON_NS if because else HORIZON_NS, because=because
    )


def _variants() -> tuple[Variant, ...]:
    found = [
        _variant({"SO_LINGER": so_linger, "ends by": "close", "unread": "none", **settings})
        for so_linger in ("not set", "set off")
        for settings in each(pending=("none", "data"), peer=PEERS)
    ]
    found += [
        _variant({"SO_LINGER": "not set", "unread": "none", "pending": "data", **settings})
        for settings in each(**{"ends by": OTHERWISE}, peer=("reads", "reads late", "host off"))
    ]
    found += [
        _variant({"SO_LINGER": "not set", "unread": "data", "pending": "data", **settings})
        for settings in each(**{"ends by": ("close", "SIGKILL")}, peer=("reads", "reads late"))
    ]
    found += [
        _variant(
            {
                "SO_LINGER": "not set",
                "ends by": end,
                "unread": "none",
                "pending": "data",
                "peer": "speaks",
            }
        )
        for end in ("close", "SIGKILL")
    ]
    found += [
        _variant(
            {
                "SO_LINGER": "not set",
                "ends by": "close",
                "unread": "none",
                "pending": "data",
                "peer": peer,
                "durations": "default",
            },
            because="an orphan's segments are repeated for minutes",
        )
        for peer in ("never reads", "host off")
    ]
    return tuple(found)


_VARIANTS: Final = _variants()


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read how long every close took, how much of what was left arrived, and by what it ended."""
    acked: list[int] = []
    cut: list[int] = []
    given_up: dict[str, int] = {}
    closes = 0
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        peer, left = settings["peer"], lingering.written(trace)
        for close in calls(trace, process=CLIENT, call="close"):
            assert close.blocked_ns == 0, f"{variant.name}: close returns at once"
            closes += 1
        resets = [seen for seen in segments_from(trace, CLIENT) if seen.seg.flags & RST]
        if settings["unread"] == "data" or peer == "speaks":
            assert resets, f"{variant.name}: an RST"
            cut.append(octets_read(trace))
            assert cut[-1] < left, f"{variant.name}: not all arrives"
            assert lingering.told(trace) == "ECONNRESET"
            continue
        assert not resets, f"{variant.name}: no RST"
        if peer == "host off" or (peer == "never reads" and left):
            assert lingering.told(trace) == "nothing"
            if "durations" in settings:
                (given_up[peer],) = stays(trace, CLIENT, "FIN-WAIT-1")
            continue
        if peer != "never reads":
            assert octets_read(trace) == left, f"{variant.name}: all of it arrives"
            assert lingering.told(trace) == "end", f"{variant.name}: and then the end"
            acked += stays(trace, CLIENT, "FIN-WAIT-1")
    whole, later = len(acked), show_duration(max(acked))
    all_of_it = lingering.written(runs[_VARIANTS[-1].name])
    never, off = (show_duration(given_up[peer]) for peer in ("never reads", "host off"))
    return Answer(
        verdict="qualified",
        text=(
            f"Close returns at once ({closes} of {closes} calls), and the system goes on: it sends "
            "what is left, and then a FIN, after exit and SIGKILL, too. All of it arrived in all "
            f"{whole} runs whose peer could take it. But nobody learns whether it did: if the "
            f"peer's host is off the system gives up after {off}, if the peer never reads after "
            f"{never}, and says nothing. It throws the rest away, and sends an RST, where the "
            "closer left data unread, or the peer sends something after the close."
        ),
        zh=(
            f"close 立即返回（{closes} 次调用中 {closes} 次），系统继续发送剩下的数据，最后发 FIN，"
            f"进程 exit 或被 SIGKILL 时也如此。只要对端能收，数据全部到达（{whole} 次运行）。但是谁"
            f"也不知道是否送达：对端主机断电，系统 {off} 后放弃；对端一直不读，{never} 后放弃，都不"
            "通知程序。如果自己还有没读的数据，或 close 之后对端又发来数据，系统丢弃剩下的数据并发 "
            "RST。"
        ),
        more=(
            f"A non-blocking close is the same. The last octets were acknowledged up to {later} "
            f"after the close. Where an RST was sent, {min(cut)} to {max(cut)} of {all_of_it} "
            "octets had arrived."
        ),
        more_zh=(
            f"非阻塞套接字也一样。close 之后最长 {later} 全部数据才得到确认。发了 RST 时，到达了 "
            f"{min(cut)} 到 {max(cut)} 字节（共 {all_of_it} 字节）。"
        ),
    )


NOTE: Final = Note(
    id="N48",
    question="SO_LINGER off: does close return at once, and is what is left still sent?",
    question_zh="不设 SO_LINGER：close 是否立即返回，剩下的数据是否还会发出？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.10.4",
        "RFC 2525 2.17",
        "Linux inet_release",
        "Linux __tcp_close",
        "Linux tcp_orphan_retries",
        "Linux tcp_rcv_state_process",
    ),
    words=(
        "SO_LINGER",
        "l_onoff",
        "linger off",
        "close",
        "pending data",
        "unsent data",
        "orphan",
        "unread data",
        "exit",
        "FIN",
        "RST",
    ),
    tells=(("client", "close"), ("server", "recv")),
)
