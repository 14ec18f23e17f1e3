"""Each fault, done to the world and to the kernel: it fires in both, and both do the same then."""

import pytest
from tests.scenarios import faulty

from halfopen.base.units import MS, S
from halfopen.compare.both import compare_variants
from halfopen.guest.arm import run_variant
from halfopen.record.faults import (
    AddressGone,
    CableIn,
    CableOut,
    Continue,
    Duplicate,
    Fault,
    Forge,
    Impair,
    InterfaceDown,
    InterfaceUp,
    Kill,
    Lose,
    PowerOff,
    PowerOn,
    Stop,
    Unreachable,
)
from halfopen.record.query import faults
from halfopen.scenario.model import At, Host, Link, OnMark, Process, Program, Step, Variant

LINK = "client-server"
SEED = 3

TALK = (faulty.server, faulty.client)
BULK = (faulty.receiver, faulty.sender)

#: What happens, and how long after the client's first question (before everything: -1).
CASES: dict[str, tuple[tuple[int | At, Fault], ...]] = {
    "killed": ((190, Kill(process="server")),),
    "stopped for a while": ((190, Stop(process="server")), (790, Continue(process="server"))),
    "far cable": ((190, CableOut(link=LINK)), (790, CableIn(link=LINK))),
    "near cable": ((190, CableOut(link=LINK, seen_by=("client",))), (790, CableIn(link=LINK))),
    "near cable of both": (
        (190, CableOut(link=LINK, seen_by=("client", "server"))),
        (790, CableIn(link=LINK)),
    ),
    "one way": ((190, CableOut(link=LINK, towards="client")), (790, CableIn(link=LINK))),
    "the other way": ((190, CableOut(link=LINK, towards="server")), (790, CableIn(link=LINK))),
    "pulled in flight": ((5, CableOut(link=LINK)), (300, CableIn(link=LINK))),
    "power off": ((190, PowerOff(host="server")),),
    "reboot": ((190, PowerOff(host="server")), (900, PowerOn(host="server"))),
    "reboot without its cable": (
        (190, PowerOff(host="server")),
        (290, CableOut(link=LINK, seen_by=("server",))),
        (390, PowerOn(host="server")),
        (900, CableIn(link=LINK)),
    ),
    "interface down": ((190, InterfaceDown(host="client")), (900, InterfaceUp(host="client"))),
    "the other's interface down": (
        (190, InterfaceDown(host="server")),
        (900, InterfaceUp(host="server")),
    ),
    "address gone": ((190, AddressGone(host="server", address="10.0.0.2")),),
    "SYN lost": ((-1, Lose(link=LINK, towards="server", pick="SYN")),),
    # Both ends would repeat what they sent after a second, at one instant: which is first is
    # decided by the ticks. So that the server's is, the client's second SYN is lost too.
    "SYN,ACK lost": (
        (-1, Lose(link=LINK, towards="client", pick="SYN,ACK")),
        (At(t_ns=500 * MS), Lose(link=LINK, towards="server", pick="SYN")),
    ),
    "text lost": ((190, Lose(link=LINK, towards="server", pick="text")),),
    "text lost twice": ((190, Lose(link=LINK, towards="server", pick="text", count=2)),),
    "answer lost": ((190, Lose(link=LINK, towards="client", pick="text")),),
    "FIN lost": ((-1, Lose(link=LINK, towards="server", pick="FIN")),),
    "all lost for a while": ((190, Lose(link=LINK, towards="client", count=3)),),
    "SYN twice": ((-1, Duplicate(link=LINK, towards="server", pick="SYN")),),
    "SYN,ACK twice": ((-1, Duplicate(link=LINK, towards="client", pick="SYN,ACK")),),
    "text twice": ((190, Duplicate(link=LINK, towards="server", pick="text", count=2)),),
    "FIN twice": ((-1, Duplicate(link=LINK, towards="server", pick="FIN")),),
    "host unreachable": ((190, Unreachable(link=LINK, towards="server", code=1, count=2)),),
    "port unreachable for a SYN": ((-1, Unreachable(link=LINK, towards="server", code=3)),),
    "time exceeded": ((190, Unreachable(link=LINK, towards="server", code=0, kind=11)),),
    "RST": ((190, Forge(link=LINK, towards="client", flags="RST,ACK")),),
    "RST in the window": ((190, Forge(link=LINK, towards="client", flags="RST", seq=100)),),
    "RST outside the window": ((190, Forge(link=LINK, towards="client", flags="RST", seq=-9)),),
    "SYN in the window": ((190, Forge(link=LINK, towards="client", flags="SYN", seq=10)),),
    "ACK of what was not sent": ((190, Forge(link=LINK, towards="client", flags="ACK", ack=99)),),
    "old ACK": ((190, Forge(link=LINK, towards="client", flags="ACK", ack=-4)),),
    "text by another": ((190, Forge(link=LINK, towards="client", flags="ACK", text="evil")),),
    "FIN by another": ((190, Forge(link=LINK, towards="client", flags="FIN,ACK")),),
}

#: Chance and bandwidth: what makes a way worse, for a client that sends much at once.
WAYS: dict[str, Impair] = {
    "slow": Impair(link=LINK, towards="server", rate_bps=400_000, queue=100),
    "slow, a short queue": Impair(link=LINK, towards="server", rate_bps=400_000, queue=3),
    "lossy": Impair(link=LINK, towards="server", loss=150),
    "doubling": Impair(link=LINK, towards="server", duplicate=300),
    "damaging": Impair(link=LINK, towards="server", corrupt=150),
}


def variant(name: str, programs: tuple[Program, Program], steps: tuple[Step, ...]) -> Variant:
    server, client = programs
    return Variant(
        settings={"fault": name},
        hosts=(
            Host(name="client", addresses=("10.0.0.1",), sysctl={}),
            Host(name="server", addresses=("10.0.0.2",), sysctl={}),
        ),
        links=(Link(a="client", b="server"),),
        processes=(
            Process(host="server", name="server", program=server, boots=True),
            Process(
                host="client",
                name="client",
                program=client,
                start=OnMark(process="server", name="listening", delay_ns=20 * MS),
            ),
        ),
        steps=steps,
        horizon_ns=6 * S,
    )


def step(after: int | At, fault: Fault) -> Step:
    if isinstance(after, At):
        return Step(when=after, fault=fault)
    when = OnMark(process="client", name="connected", delay_ns=after * MS)
    return Step(when=when if after >= 0 else At(t_ns=0), fault=fault)


VARIANTS = [
    variant(name, TALK, tuple(step(after, fault) for after, fault in faults_))
    for name, faults_ in CASES.items()
] + [variant(name, BULK, (step(0, way),)) for name, way in WAYS.items()]


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: case.settings["fault"])
def test_each_fault_fires_in_the_world(case: Variant) -> None:
    fired = faults(run_variant(case, seed=SEED))
    assert [event.fault for event in fired] == [each.fault for each in case.steps]
    assert all(event.effect for event in fired)


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_each_fault_does_the_same_to_the_kernel() -> None:
    found = {}
    for compared in compare_variants(
        VARIANTS, lambda case: run_variant(case, seed=SEED), seed=SEED
    ):
        texts = [compared.failed] if compared.failed else [d.text for d in compared.differences]
        if texts:
            found[compared.variant.settings["fault"]] = texts
    assert not found, "\n".join(
        f"{name}: {text}" for name, texts in found.items() for text in texts
    )
