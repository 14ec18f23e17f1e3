"""The same rows on the real kernel, and random walks of both, side by side.

So a row that is wrong about Linux fails, and so does the stack where it is. One process does it
all: it has namespaces of its own, and needs no wire, for the test is the peer.
"""

import json
import os
import platform
import subprocess
import sys
from functools import cache
from typing import Final, TypedDict

import pytest
from tests.unit.tcp import test_memory, test_syn_sent, test_syncookies
from tests.unit.tcp.ends import Ours
from tests.unit.tcp.tables import TABLES

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.tcp.iss import Secret
from halfopen.tcp.jiffies import JIFFY
from halfopen.tcp.tcb import MSL2
from halfopen.wire.seq import wrap

WALKS: Final = 2_000
STEPS: Final = 4
#: The profile that the stack follows; other kernels answer some segments otherwise.
RELEASE: Final = "6.18"

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(90),
    pytest.mark.skipif(
        not platform.release().startswith(RELEASE), reason=f"the rows tell of Linux {RELEASE}"
    ),
]


Verdict = TypedDict(
    "Verdict",
    {
        "rows": dict[str, str],
        "walks": list[list[str]],
        "TIME-WAIT": int,
        "ISS": tuple[int, int, int],
        "early text": list[int],
        "crossing SYNs": list[list[str]],
        "SYN cookies": list[list[object]],
        "a wrong row": str,
        "walks of a stack that differs": list[list[str]],
    },
)


@cache
def verdict() -> Verdict:
    """Ask the kernel everything, once."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.tcp.linux_end", str(WALKS), str(STEPS)],
        check=True,
        capture_output=True,
        timeout=80,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    answer: Verdict = json.loads(done.stdout)
    return answer


def _rows() -> list[object]:
    return [
        pytest.param(f"{number} {place}", id=f"{table.reach.__name__}: {cell.name}")
        for number, table in enumerate(TABLES)
        for place, cell in enumerate(table.rows)
        if not cell.linux
    ]


@pytest.mark.parametrize("place", _rows())
def test_linux_does_what_the_row_says(place: str) -> None:
    assert not verdict()["rows"][place]


def test_walking_side_by_side_with_linux() -> None:
    trails = verdict()["walks"]
    assert not trails, "\n\n".join("\n  ".join(trail) for trail in trails[:10])


def test_time_wait_lasts_a_minute_on_linux_too() -> None:
    left = verdict()["TIME-WAIT"]
    assert MSL2 - S < left <= MSL2 + JIFFY


def test_the_clock_of_initial_sequence_numbers_ticks_every_64_ns() -> None:
    moved, least, most = verdict()["ISS"]
    assert least <= moved << 6 <= most + 64
    secret, flow = Secret(Rng(0)), ("10.0.0.1", 1, "10.0.0.2", 2)
    assert wrap(secret.iss(flow, moved << 6) - secret.iss(flow, 0)) == moved


def test_early_text_makes_the_buffer_grow() -> None:
    ours = [test_memory.grown_by_early_text(Ours(), taken=taken) for taken in (True, False)]
    assert verdict()["early text"] == ours


def test_a_syn_from_before_a_time_wait_does_not_cross_ours() -> None:
    assert verdict()["crossing SYNs"] == test_syn_sent.crosses_of_the_past()


def test_syn_cookies_tell_what_they_tell_here() -> None:
    ours = [test_syncookies.story(Ours(options)) for options in test_syncookies.PEERS]
    assert json.loads(json.dumps(ours)) == verdict()["SYN cookies"]


def test_every_table_is_judged() -> None:
    judged = [cell for table in TABLES for cell in table.rows if not cell.linux]
    assert len(verdict()["rows"]) == len(judged) > 400


def test_a_wrong_row_is_seen() -> None:
    assert "Linux does" in verdict()["a wrong row"]


def test_a_stack_that_differs_is_seen() -> None:
    assert verdict()["walks of a stack that differs"]
