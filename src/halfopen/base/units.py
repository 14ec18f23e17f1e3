"""Virtual time is an ``int`` of nanoseconds since the world began."""

from typing import Final

US: Final = 1_000
MS: Final = 1_000_000
S: Final = 1_000_000_000
MINUTE: Final = 60 * S
HOUR: Final = 60 * MINUTE


def show_duration(ns: int) -> str:
    """Write a duration as people read it.

    ``50 µs``, ``1.004 s``, ``15 min 24.6 s``, ``2 h 11 min 15 s``. What rounds up to a whole one
    of the next unit is written in that.
    """
    if ns < 0:
        return "-" + show_duration(-ns)
    if ns < MS:
        return f"{ns / US:g} µs"
    if ns < S and (shown := _short(ns / MS, 1)) != "1000":
        return f"{shown} ms"
    if ns < MINUTE and (shown := _short(ns / S, 3)) != "60":
        return f"{shown} s"
    minutes, rest = divmod(ns, MINUTE)
    shown = _short(rest / S, 1)
    if shown == "60":
        minutes, shown = minutes + 1, "0"
    tail = f" {shown} s" if shown != "0" else ""
    if minutes < 60:
        return f"{minutes} min{tail}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes or tail else "") + tail


def _short(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
