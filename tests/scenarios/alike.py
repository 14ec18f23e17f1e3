"""Variants that are no row's, on both arms: no difference, and what the kernel did."""

from halfopen.compare.both import compare_variants
from halfopen.guest.arm import run_variant as in_world
from halfopen.record.events import Output
from halfopen.record.trace import Trace
from halfopen.scenario.model import Variant


def alike(*asked: Variant) -> list[Trace]:
    """Run variants on both arms, several side by side; return the kernel's traces."""
    traces: dict[int, Trace] = {}
    found: list[str] = []
    for compared in compare_variants(asked, in_world, seed=0):
        name = compared.variant.name
        assert compared.kernel is not None, f"{name}: {compared.failed}"
        assert not compared.failed, f"{name}: {compared.failed}"
        found += [f"{name}: {difference.text}" for difference in compared.differences]
        traces[compared.number] = compared.kernel
    assert not found, "\n".join(found[:20])
    return [traces[number] for number in range(len(asked))]


def said(trace: Trace, process: str = "") -> str:
    """Give all that a process printed, or all of them: a reader of a pipe may see it in parts."""
    return "".join(
        event.text
        for event in trace.events
        if isinstance(event, Output) and process in {"", event.process}
    )
