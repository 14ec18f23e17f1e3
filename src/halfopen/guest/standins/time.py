"""``time``: the world's clock, in UTC: begun at a fixed instant, it moves while everybody waits."""

import calendar
import errno
import importlib
import os
import time as real
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Final, Literal, SupportsFloat, SupportsIndex, TypeAlias, cast

from halfopen.guest import tasks
from halfopen.guest.standins.assemble import assemble
from halfopen.guest.standins.numbers import integer, to_ns

if TYPE_CHECKING:
    from halfopen.guest.image import Image

#: 2026-01-01 00:00:00 UTC, when every world begins.
EPOCH_NS: Final = 1_767_225_600 * 10**9

#: How long the hosts have been up by then, as CLOCK_MONOTONIC shows.
UPTIME_NS: Final = 100 * 10**9

#: What C takes for a time, and judges itself.
Parts: TypeAlias = tuple[int, int, int, int, int, int, int, int, int] | real.struct_time

ClockName: TypeAlias = Literal["monotonic", "perf_counter", "process_time", "time", "thread_time"]

_SECOND: Final = 10**9
_EPOCH: Final = real.gmtime(0)
_CLOCKS: Final = frozenset(
    number for name, number in vars(real).items() if name.startswith("CLOCK_")
)
_REALTIME: Final = frozenset({"CLOCK_REALTIME", "CLOCK_TAI"})


class Time:
    """The clock as one process sees it. Computing takes no time, so the CPU clocks stand still."""

    def __init__(self, image: "Image") -> None:
        self._image = image
        self._realtime = {getattr(real, name) for name in _REALTIME if hasattr(real, name)}

    def time_ns(self) -> int:
        """Read CLOCK_REALTIME."""
        self._asked("time")
        return EPOCH_NS + self._image.world.now

    def time(self) -> float:
        """Read CLOCK_REALTIME in seconds."""
        return self.time_ns() / _SECOND

    def monotonic_ns(self) -> int:
        """Read CLOCK_MONOTONIC."""
        self._asked("monotonic")
        return UPTIME_NS + self._image.world.now

    def monotonic(self) -> float:
        """Read CLOCK_MONOTONIC in seconds."""
        return self.monotonic_ns() / _SECOND

    def process_time_ns(self) -> int:
        """Read a CPU clock."""
        self._asked("process_time")
        return 0

    def process_time(self) -> float:
        """Read a CPU clock in seconds."""
        return self.process_time_ns() / _SECOND

    def clock_gettime_ns(self, clk_id: int) -> int:
        """Read a clock by its number.

        Raises OSError EINVAL for a number that Linux does not know.
        """
        if integer(clk_id) not in _CLOCKS:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if clk_id in self._realtime:
            return self.time_ns()
        if clk_id in {real.CLOCK_PROCESS_CPUTIME_ID, real.CLOCK_THREAD_CPUTIME_ID}:
            return self.process_time_ns()
        return self.monotonic_ns()

    def clock_gettime(self, clk_id: int) -> float:
        """Read a clock by its number, in seconds."""
        return self.clock_gettime_ns(clk_id) / _SECOND

    def clock_getres(self, clk_id: int) -> float:
        """Every clock counts nanoseconds."""
        int(clk_id)
        return 1e-09

    def get_clock_info(self, name: ClockName) -> object:
        """Describe a clock."""
        return real.get_clock_info(name)

    def sleep(self, seconds: SupportsFloat | SupportsIndex, /) -> None:
        """Wait in virtual time.

        Raises ValueError for a negative time.
        """
        ns = to_ns(seconds)
        if ns < 0:
            raise ValueError("sleep length must be non-negative")
        thread = tasks.running()
        thread.leave_if_over()
        thread.call = "sleep"
        until = self._image.world.now + ns
        while thread.pause(until, "time"):
            pass

    def gmtime(self, seconds: float | None = None, /) -> real.struct_time:
        """Convert seconds to UTC."""
        return real.gmtime(self.time() if seconds is None else seconds)

    def mktime(self, parts: Sequence[int], /) -> float:
        """Convert from local time, which is UTC."""
        if not isinstance(parts, tuple):
            raise TypeError("Tuple or struct_time argument required")
        if len(parts) != len(_EPOCH):
            raise TypeError("mktime(): illegal time tuple argument")
        return float(calendar.timegm(parts))

    def strftime(self, form: str, parts: Sequence[int] | None = None, /) -> str:
        """Format a time, by default the present."""
        return real.strftime(form, self._parts(parts))

    def asctime(self, parts: Sequence[int] | None = None, /) -> str:
        """Format a time as C does."""
        return real.asctime(self._parts(parts))

    def ctime(self, seconds: float | None = None, /) -> str:
        """Format seconds as C does."""
        return self.asctime(self.gmtime(seconds))

    def strptime(self, text: str, form: str = "%a %b %d %H:%M:%S %Y", /) -> real.struct_time:
        """Read a time."""
        own = importlib.import_module("_strptime")  # the process's own, since it is running
        parsed: real.struct_time = own._strptime_time(text, form)  # noqa: SLF001  as C does
        return parsed

    def tzset(self) -> None:
        """Every host is in UTC."""

    def _parts(self, parts: Sequence[int] | None) -> Parts:
        return self.gmtime() if parts is None else cast("Parts", parts)

    def _asked(self, call: str) -> None:
        thread = tasks.running_or_none()
        if thread is not None:
            thread.leave_if_over()
            thread.call = call
            self._image.count_call(thread)


def make(image: "Image") -> ModuleType:
    """Make the module."""
    own = Time(image)
    names = (
        "time time_ns monotonic monotonic_ns process_time process_time_ns clock_gettime "
        "clock_gettime_ns clock_getres get_clock_info sleep gmtime mktime strftime asctime ctime "
        "strptime tzset"
    )
    offered: dict[str, object] = {name: getattr(own, name) for name in names.split()}
    offered |= {
        "perf_counter": own.monotonic,
        "perf_counter_ns": own.monotonic_ns,
        "thread_time": own.process_time,
        "thread_time_ns": own.process_time_ns,
        "localtime": own.gmtime,
        "timezone": 0,
        "altzone": 0,
        "daylight": 0,
        "tzname": ("UTC", "UTC"),
    }
    return assemble(real, offered, passed=("struct_time",))
