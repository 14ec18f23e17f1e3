"""Both arms side by side: a line where they agree, both runs where they don't."""

from dataclasses import replace

import pytest
from tests.unit.atlas.rows import refused
from tests.unit.atlas.traces import Made

from halfopen.atlas.beside import (
    Comparison,
    allowance_lines,
    busy_lines,
    comparison_lines,
    profile_lines,
    summary_line,
)
from halfopen.base.units import MS, S
from halfopen.compare.rules import ALLOWED
from halfopen.record.trace import Trace
from halfopen.wire.tcp import ACK, PSH


def compared(
    *,
    differences: tuple[tuple[int, str], ...] = (),
    failed: str = "",
    looks: int = 1,
    before: tuple[str, ...] = (),
    name: str = "server=nobody listens",
    world: Trace | None = None,
    kernel: Trace | None = None,
) -> Comparison:
    return Comparison(
        note_id="N18",
        number=3,
        name=name,
        world=world or refused(),
        kernel=kernel or refused(release="6.18.5"),
        differences=differences,
        failed=failed,
        looks=looks,
        before=before,
    )


def lines(comparison: Comparison) -> list[str]:
    found = comparison_lines(comparison, kernel_name="6.18")
    assert all(len(line) <= 80 for line in found), found
    return found


def test_what_agrees_takes_a_line() -> None:
    (only,) = lines(compared())
    assert only == f"{'N18   3  server=nobody listens':<72}  agrees"
    assert len(only) == 80


def test_a_long_name_is_folded_under_itself() -> None:
    name = "cut=one way, from the peer peer=writes once and waits again=never durations=default"
    first, second = lines(compared(name=name))
    assert first.endswith("  agrees")
    assert second == " " * 9 + "again=never durations=default"


def test_that_it_took_more_than_a_look_is_told() -> None:
    text = "at 1 s: client calls close(): 9.8 ms later on the kernel"
    found = lines(compared(looks=2, before=(text,)))
    assert found[0].endswith("agrees at look 2")
    assert found[1] == f"  look 1: {text}"
    broke = lines(compared(looks=3))
    assert broke[1] == "  look 2: the kernel's arm failed"


def test_what_broke_is_told() -> None:
    found = lines(compared(failed="in the world: SND.UNA passed SND.NXT"))
    assert found[0].endswith("failed")
    assert found[1] == "  in the world: SND.UNA passed SND.NXT"


def talk(arm: str, *, again: int, port: int = 40000) -> Trace:
    """Six messages a second apart; the fourth is sent again, so much later."""
    made = Made(arm=arm)
    made.call("client", "connect", f"10.0.0.2:{port}", 0, until=20 * MS)
    for second in range(1, 7):
        made.send(second * S, "client", PSH | ACK, second, 1, b"x")
        if second == 4:
            made.send(4 * S + again, "client", PSH | ACK, second, 1, b"x")
    made.state(7 * S, "client", "ESTABLISHED", "CLOSED")
    return made.done(8 * S)


def test_both_runs_are_opened_where_they_first_differ() -> None:
    world, kernel = talk("world", again=200 * MS), talk("kernel", again=250 * MS)
    text = "at 4.2 s: client sends PSH,ACK again: 50 ms later on the kernel"
    found = lines(compared(differences=((4200 * MS, text),), world=world, kernel=kernel))
    assert found[:2] == [f"{'N18   3  server=nobody listens':<71}  differs", f"  {text}"]
    assert found[2].split() == ["world", "kernel", "6.18"]
    (here,) = (line for line in found if line.startswith(">"))
    assert here.split()[1:3] == ["4.200", "s"]
    assert here.endswith("4.250 s  the same")
    assert not any("CLOSED" in line for line in found), "states are the world's alone"


def test_what_one_arm_alone_did_stands_on_its_side() -> None:
    world, kernel = talk("world", again=200 * MS), talk("kernel", again=200 * MS)
    extra = Made(arm="kernel")
    extra.trace = kernel
    extra.send(4500 * MS, "client", ACK, 5, 1)
    kernel.events.sort(key=lambda event: event.t_ns)
    text = "at 4.5 s: client sends ACK on the kernel, and nothing more in the world"
    found = lines(compared(differences=((4500 * MS, text),), world=world, kernel=kernel))
    (line,) = (line for line in found if "4.500 s" in line)
    assert line.split()[:2] == [">", "-"]
    assert "client: ACK seq 5" in line
    mirrored = lines(compared(differences=((4500 * MS, text),), world=kernel, kernel=world))
    (line,) = (line for line in mirrored if "4.500 s" in line)
    assert line.split()[-1] == "-"


def test_only_some_of_many_differences_are_shown() -> None:
    many = tuple((0, f"at 0 µs: difference {number}") for number in range(9))
    found = lines(compared(differences=many))
    assert sum("difference" in line for line in found) == 4
    assert "  ... and 5 more" in found


def test_everything_that_was_compared_is_counted() -> None:
    all_ = [
        compared(),
        compared(looks=2, before=("x",)),
        compared(differences=((0, "x"), (1, "y"))),
        compared(failed="x"),
    ]
    assert summary_line(all_, rows=1, calls=1, segments=9) == (
        "1 row, 4 variants, 1 call, 9 segments, 2 differences, 1 looked at again, 1 failed"
    )
    assert summary_line([compared()], rows=2, calls=0, segments=1) == (
        "2 rows, 1 variant, 0 calls, 1 segment, 0 differences"
    )


@pytest.mark.parametrize(
    ("release", "hz", "words"),
    [
        ("6.18.44", 250, ""),
        (
            "6.18.0",
            1000,
            "This kernel is Linux 6.18 with HZ 1000; the world follows 6.18 with 250.",
        ),
        ("6.1.9", 250, "This kernel is Linux 6.1 with HZ 250; the world follows 6.18 with 250."),
    ],
)
def test_another_kernel_than_the_world_s_is_named(release: str, hz: int, words: str) -> None:
    trace = Trace({"release": release, "hz": hz})
    assert " ".join(profile_lines(trace)).startswith(words)
    assert bool(profile_lines(trace)) == bool(words)


def test_all_that_may_differ_is_listed_with_its_reason() -> None:
    lines = allowance_lines()
    assert all(len(line) <= 80 for line in lines)
    text = " ".join(" ".join(lines).split())
    assert (
        "A variant that differs is run on the kernel again, up to 3 looks in all. Where one look "
        "agrees it is let off; where none does, the last one's differences count."
    ) in text
    for allowed in ALLOWED:
        assert f"{allowed.what} {allowed.how} ({allowed.why})" in text


@pytest.mark.parametrize(
    ("load", "cores", "words"),
    [
        (7.6, 2, "This machine is busy: 8 tasks want its 2 cores."),
        (2.6, 1, "This machine is busy: 3 tasks want its core."),
        (2.4, 2, ""),
        (1.9, 2, ""),
    ],
)
def test_a_busy_machine_is_named_where_something_differs(
    load: float, cores: int, words: str
) -> None:
    late = compared(differences=((9 * MS, "late"),))
    told = " ".join(busy_lines([compared(), late], load, cores))
    assert told.startswith(words)
    assert bool(told) == bool(words)
    assert busy_lines([compared(looks=2)], load, cores) == []


def test_a_busy_machine_is_named_where_the_kernels_arm_broke() -> None:
    """Not where the world's did: nothing is late there."""
    broke = replace(compared(failed="on the kernel: the conductor failed"), kernel=None)
    assert busy_lines([broke], 7.6, 2)
    assert busy_lines([replace(broke, failed="in the world: x", world=None)], 7.6, 2) == []
