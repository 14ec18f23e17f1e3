"""Random walks as Linux took them, recorded: what it sent at each step, windows and options too.

So every build and every change is held against the kernel where there is none. Run by itself
(``python -m tests.unit.tcp.recorded KIND COUNT STEPS``) it walks anew beside this machine's kernel,
in namespaces of its own, and writes down as far as both went alike; where they part is
``test_on_linux``'s affair.
"""

import gzip
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final, NamedTuple, TypeAlias

from tests.unit.tcp import transfers, walks
from tests.unit.tcp.cells import Step
from tests.unit.tcp.ends import End, Options, Ours

from halfopen.tcp.states import State

#: A way of the kernel is tried so often: a tick may fall between two steps.
_TIMES: Final = 3

#: One segment: flags, numbers and size as the tables count, the window's field, the options.
Told: TypeAlias = list[object]
#: One look: the state, and what was sent since the last.
Look: TypeAlias = list[object]


class Kind(NamedTuple):
    """How a walk is made."""

    name: str
    options: tuple[Options, ...]
    ways: tuple[Step, ...]
    choose: Callable[[Random, Ours, Options], walks.Choice | None]

    @property
    def file(self) -> Path:
        """Where its record is."""
        return Path(__file__).parent / f"recorded_{self.name}.json.gz"


WALKS: Final = Kind("walks", walks.OPTIONS, walks.WAYS, walks.choose)
TRANSFERS: Final = Kind("transfers", transfers.OPTIONS, transfers.WAYS, transfers.choose)


def look(end: End) -> Look:
    """Look at an end, as JSON has it."""
    at = end.looked_at
    sent = end.sent()
    told: list[Told] = []
    for one, seg in zip(sent, end.segments[at:], strict=True):
        options: Told = [seg.mss, seg.wscale, seg.sack_ok, seg.ts_val >= 0]
        blocks = [[(edge - end.irs) & 0xFFFFFFFF for edge in block] for block in seg.sack]
        told.append([int(one.flags), one.seq, one.ack, one.size, seg.wnd, seg.urg, options, blocks])
    return [end.state.name, told]


def walk(kind: Kind, length: int, ours: Ours, rng: Random, other: End | None = None) -> list[Look]:
    """Let one end walk, or two beside each other; return the looks, up to where they part."""
    ends = [ours] if other is None else [ours, other]
    way = rng.choice(kind.ways)
    for end in ends:
        way(end)
    looks: list[Look] = []
    for _ in range(length + 1):
        seen = [look(end) for end in ends]
        if seen[0] != seen[-1]:
            break
        looks.append(seen[0])
        if ours.state in {State.CLOSED, State.LISTEN}:
            break
        choice = kind.choose(rng, ours, ours.options)
        if choice is not None:
            for end in ends:
                choice.step(end)
    return looks


def replay(kind: Kind, seed: int, length: int) -> list[Look]:
    """Walk the way of a seed; so many looks."""
    rng = Random(f"recorded {seed}")
    ours = Ours(rng.choice(kind.options))
    return walk(kind, length - 1, ours, rng)


def recorded(kind: Kind) -> list[list[Look]]:
    """Return what Linux did, by seed."""
    with gzip.open(kind.file, "rt") as file:
        found: list[list[Look]] = json.load(file)["walks"]
    return found


def main() -> None:
    """Walk beside the kernel, and write it down."""
    from tests.unit.tcp.linux_end import LinuxEnd, Machine

    kind = next(each for each in (WALKS, TRANSFERS) if each.name == sys.argv[1])
    count, length = int(sys.argv[2]), int(sys.argv[3])
    machine = Machine()
    found: list[list[Look]] = []
    for seed in range(count):
        best: list[Look] = []
        for _ in range(_TIMES):
            rng = Random(f"recorded {seed}")
            options = rng.choice(kind.options)
            linux = LinuxEnd(machine, options)
            try:
                best = max(walk(kind, length, Ours(options), rng, linux), best, key=len)
            finally:
                linux.vanish()
            if len(best) > length:
                break
        found.append(best)
    text = json.dumps({"linux": platform.release(), "walks": found}, separators=(",", ":"))
    with kind.file.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as file:
        file.write(text.encode())
    steps = sum(map(len, found))
    print(f"{count} {kind.name} of at most {length} steps, {steps} looks alike")  # noqa: T201  as programs do


if __name__ == "__main__":
    main()
