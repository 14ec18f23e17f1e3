"""What of a run is enough beside a finding: what the fault struck, and how it ended."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, TypeAlias

from halfopen.atlas.moments import Moment
from halfopen.atlas.phrases import show_instant

#: A line of a drawn run, and the moment that it shows; the heading shows none.
Line: TypeAlias = tuple[Moment | None, str]

_TIME: Final = 10  # so wide is the column of times
_INDENT: Final = 12
_AGAIN: Final = "again"  # how a segment's note begins that was sent before
_NOTHING: Final = " -> nothing ready"


def counted(moments: Iterable[Moment]) -> list[Moment]:
    """Count polls that look and see nothing, one after another, in one line."""
    shown: list[Moment] = []
    times = 0
    for moment in moments:
        if shown and times and _looks_again(shown[-1], moment):
            times += 1
            first = shown[-1].text.partition(_NOTHING)[0]
            text = f"{first}{_NOTHING}, {times} times"
            shown[-1] = replace(shown[-1], text=text, times=times)
        else:
            shown.append(moment)
            times = int(moment.kind == "call" and moment.text.endswith(_NOTHING))
    return shown


def _looks_again(last: Moment, moment: Moment) -> bool:
    """Whether the same host, at the same instant, looks by the same call, whatever its limits."""
    calls = (last.text.partition("(")[0], moment.text.partition("(")[0])
    return (
        moment.kind == "call"
        and moment.text.endswith(_NOTHING)
        and (moment.host, moment.t_ns) == (last.host, last.t_ns)
        and calls[0] == calls[1]
    )


def without_repeats(moments: list[Moment]) -> list[Moment]:
    """Keep of a segment that is sent again and again the first time and the last."""
    shown: list[Moment] = []
    run: list[Moment] = []
    for moment in moments:
        if run and not _is_again(moment, run[0].host):
            shown += _ends_of(run)
            run = []
        if _is_again(moment, moment.host):
            run.append(moment)
        else:
            shown.append(moment)
    return shown + _ends_of(run)


def _is_again(moment: Moment, host: str) -> bool:
    seen = moment.seen
    return seen is not None and seen.note.startswith(_AGAIN) and moment.host == host


def _ends_of(run: list[Moment]) -> list[Moment]:
    if len(run) <= 3:
        return run
    fold = Moment(t_ns=run[1].t_ns, kind="silence", host="", text=f"again, {len(run) - 2} times")
    return [run[0], fold, run[-1]]


def shortened(drawn: list[Line], lines_max: int) -> list[str]:
    """Cut a drawn run to so many lines.

    What stays is the fault, the segment before it, and as much of the end as there is room for.
    """
    if len(drawn) <= lines_max:
        return [line for _, line in drawn]
    kept = _around_fault(drawn)
    since = len(drawn) - lines_max
    while len(_cut(drawn, kept, since)) > lines_max and since < len(drawn):
        since += 1
    return _cut(drawn, kept, since)


def without_middle(drawn: list[Line], first: int, last: int) -> list[str]:
    """Cut a drawn run to so many lines of its beginning, the heading apart, and of its end."""
    return _cut(drawn, set(range(1, first + 1)), len(drawn) - last)


def _around_fault(drawn: list[Line]) -> set[int]:
    """Number the lines of the last fault, and of the last segment before it."""
    struck: list[int] = []
    before: list[int] = []
    segment: list[int] = []
    for number, (moment, _) in enumerate(drawn):
        if moment is None:
            continue
        if moment.kind == "fault":
            struck, before = [number], segment
        elif moment.kind == "segment":
            same = segment and drawn[segment[-1]][0] is moment
            segment = [*segment, number] if same else [number]
    return {*before, *struck}


def _cut(drawn: list[Line], kept: set[int], since: int) -> list[str]:
    """Write the heading, the lines to be kept, and all from ``since`` on; count what is left out.

    A line alone is not left out, and behind a gap the time is said again.
    """
    lines = [drawn[0][1]]
    out: list[int] = []
    for number in range(1, len(drawn)):
        if number < since and number not in kept:
            out.append(number)
            continue
        moment, line = drawn[number]
        if len(out) == 1:
            lines.append(drawn[out[0]][1])
        elif out:
            lines.append(f"{'':>{_INDENT}}... {len(out)} lines ...")
            if moment is not None and not line[:_INDENT].strip():
                line = f"{show_instant(moment.t_ns):>{_TIME}}".ljust(_INDENT) + line[_INDENT:]
        out = []
        lines.append(line)
    return lines
