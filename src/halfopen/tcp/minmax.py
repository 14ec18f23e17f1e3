"""The least of what was measured in the last minutes, without keeping all of it.

Linux minmax_running_min.
"""

from typing import Final

#: Larger than every measurement.
NOTHING: Final = 0xFFFFFFFF


class RunningMin:
    """Three candidates, each measured later than the one before, and none of them smaller.

    When the first is too old, the next takes its place.
    """

    __slots__ = ("first", "first_at", "second", "second_at", "third", "third_at")

    def __init__(self) -> None:
        self.first = self.second = self.third = NOTHING
        self.first_at = self.second_at = self.third_at = 0

    def take(self, measured: int, at: int, window: int) -> int:
        """Take in a measurement; return the least of those in the ``window`` before ``at``."""
        if measured <= self.first or at - self.third_at > window:
            self.first = self.second = self.third = measured
            self.first_at = self.second_at = self.third_at = at
            return measured
        if measured <= self.second:
            self.second = self.third = measured
            self.second_at = self.third_at = at
        elif measured <= self.third:
            self.third, self.third_at = measured, at
        self._age(measured, at, window)
        return self.first

    def _age(self, measured: int, at: int, window: int) -> None:
        """Let go of what is too old; see to it that the candidates are spread over the window."""
        age = at - self.first_at
        if age > window:
            self._shift(measured, at)
            if at - self.first_at > window:
                self._shift(measured, at)
        elif self.second_at == self.first_at and age > window >> 2:
            self.second = self.third = measured
            self.second_at = self.third_at = at
        elif self.third_at == self.second_at and age > window >> 1:
            self.third, self.third_at = measured, at

    def _shift(self, measured: int, at: int) -> None:
        self.first, self.first_at = self.second, self.second_at
        self.second, self.second_at = self.third, self.third_at
        self.third, self.third_at = measured, at
