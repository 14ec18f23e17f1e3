"""Full length: how long a kernel is watched where the system's own durations are asked for.

Such variants run in the world alone, day by day. Once, a kernel runs them too, in real time, and
what it did is kept.
"""

from dataclasses import replace
from typing import Final

from halfopen.base.units import MINUTE
from halfopen.record.trace import Trace
from halfopen.scenario.model import Variant

#: Long enough for the keepalive of Linux: two hours, and ten probes 75 s apart.
WATCHED_MAX_NS: Final = 135 * MINUTE
#: "Never" is looked at for so long.
WATCHED_MIN_NS: Final = 20 * MINUTE
_AFTERWARDS_NS: Final = MINUTE
#: They do nothing for most of the time.
SIDE_BY_SIDE: Final = 40


def at_full_length(variant: Variant, world: Trace) -> Variant:
    """Give a variant of the world's alone as a kernel can run it, once.

    It is watched until a while after the world's last event. Requires: not ``variant.kernel``.
    """
    assert not variant.kernel, "a kernel runs it every day"
    last_ns = max((event.t_ns for event in world.events), default=0)
    watched_ns = max(last_ns + _AFTERWARDS_NS, WATCHED_MIN_NS)
    horizon_ns = min(watched_ns, WATCHED_MAX_NS, variant.horizon_ns)
    return replace(variant, horizon_ns=horizon_ns, kernel=True)
