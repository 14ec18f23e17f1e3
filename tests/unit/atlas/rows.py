"""A small note, and arms whose runs are made by hand, for the tests of sheets and pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tests.unit.atlas.traces import Made

from halfopen.base.units import MS, S
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Host, Lab, Link, Note, Process, Variant, each
from halfopen.wire.tcp import ACK, RST, SYN


def refused(*, release: str = "", recorded: bool = False, trip: int = 10 * MS) -> Trace:
    """A connect that an RST answers."""
    made = Made(arm="kernel" if release else "world", release=release)
    if recorded:
        made.trace.meta["recorded"] = True
    made.call("client", "connect", "10.0.0.2:80", 0, until=2 * trip, errno="ECONNREFUSED")
    made.state(0, "client", "CLOSED", "SYN-SENT")
    made.send(0, "client", SYN, 0, wnd=64240, trip=trip)
    made.send(trip, "server", RST | ACK, 0, 1, plain_numbers=True, wnd=0, trip=trip)
    made.state(2 * trip, "client", "SYN-SENT", "CLOSED")
    return made.done(3 * S)


def program(lab: Lab) -> None:
    """Never run: the arms are made by hand."""
    raise AssertionError(lab)


def variant(settings: dict[str, str], *, kernel: bool = True) -> Variant:
    return Variant(
        settings=settings,
        hosts=(
            Host(name="client", addresses=("10.0.0.1",), sysctl={"net.ipv4.tcp_retries2": 3}),
            Host(name="server", addresses=("10.0.0.2",), sysctl={}),
        ),
        links=(Link(a="client", b="server"),),
        processes=(Process(host="client", name="client", program=program),),
        steps=(),
        horizon_ns=S,
        kernel=kernel,
        because="" if kernel else "it takes a day",
    )


def answer(runs: Mapping[str, Trace]) -> Answer:
    return Answer(
        verdict="confirmed",
        text=f"ECONNREFUSED in {len(runs)} runs.",
        zh=f"{len(runs)} 次运行得到 ECONNREFUSED。",
    )


def answer_and_more(runs: Mapping[str, Trace]) -> Answer:
    return replace(answer(runs), more="A port counts.", more_zh="端口算数。")


def note(answered: Callable[[Mapping[str, Trace]], Answer] = answer) -> Note:
    chosen = each(server=("nobody listens", "bound only"), connect=("blocking", "non-blocking"))
    return Note(
        id="N18",
        question="connect to a port where nobody listens",
        question_zh="connect 一个没有进程监听的端口",
        variants=tuple(variant(settings) for settings in chosen),
        answer=answered,
        why=("RFC 9293 3.10.7.3", "Linux tcp_reset"),
        words=("closed port",),
    )


class MadeArms:
    """Arms that do as they are told."""

    def __init__(
        self,
        *,
        breaks: str = "",
        witnessed: bool = True,
        differs: str = "",
        error: Exception | None = None,
    ) -> None:
        self.breaks = breaks
        self.witnessed = witnessed
        self.differs = differs
        self.error = error or AssertionError("SND.UNA passed SND.NXT")
        self.seeds: list[int] = []

    def world(self, variant: Variant, *, seed: int) -> Trace:
        self.seeds.append(seed)
        if variant.name == self.breaks:
            raise self.error
        return refused()

    def kernel(self, note: Note, variant: Variant) -> Trace | None:
        assert variant in note.variants
        if not (self.witnessed and variant.kernel):
            return None
        return refused(release="6.18.5-arch", recorded=True)

    def differences(self, variant: Variant, *, world: Trace, kernel: Trace) -> Sequence[str]:
        assert world.meta["arm"] == "world"
        assert kernel.meta["arm"] == "kernel"
        return ["the world answers late"] if variant.name == self.differs else []
