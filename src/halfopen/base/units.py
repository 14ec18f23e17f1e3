"""Virtual time is an ``int`` of nanoseconds since the world began."""

from typing import Final

US: Final = 1_000
MS: Final = 1_000_000
S: Final = 1_000_000_000
MINUTE: Final = 60 * S
HOUR: Final = 60 * MINUTE


def show_duration(ns: int) -> str:
    """Write a duration as people read it.

    ``50 µs``, ``1.004 s``, ``15 min 24.6 s``, ``2 h 11 min 15 s``.
    """
    if ns < 0:
        return "-" + show_duration(-ns)
    if ns < MS:
        return f"{ns / US:g} µs"
    if ns < S:
        return f"{_short(ns / MS, 1)} ms"
    if ns < MINUTE:
        return f"{_short(ns / S, 3)} s"
    minutes, rest = divmod(ns, MINUTE)
    tail = f" {_short(rest / S, 1)} s" if rest >= S // 20 else ""
    if minutes < 60:
        return f"{minutes} min{tail}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes or tail else "") + tail


def _short(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
