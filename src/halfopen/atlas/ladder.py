"""A run as text: time in a column, hosts left and right, segments as arrows between them.

Every line fits 80 columns. With three hosts or more it is a list, one line for each moment.
"""

from collections.abc import Iterator
from dataclasses import replace
from textwrap import wrap
from typing import Final

from halfopen.atlas.annotate import Seen
from halfopen.atlas.excerpt import Line, counted, shortened, without_middle, without_repeats
from halfopen.atlas.moments import Moment, Reader
from halfopen.atlas.phrases import call_name, plural, show_instant
from halfopen.base.units import S, show_duration
from halfopen.record.trace import Trace
from halfopen.wire.address import host_of

WIDTH: Final = 80
_TIME: Final = 12  # the left host's column begins here
_RIGHT: Final = 60  # the right host's column begins here
_BAND: Final = 15  # segments begin here, behind the left host's bars
_ARROW_MIN: Final = 4
_NO_BREAK: Final = "\u00a0"  # a blank at which no line breaks
_CALLS: Final = frozenset({"call", "enter", "return"})
_LANE_MAX: Final = 44  # a host's text may be so long beside the other's bars

#: A gap is shown where it is this long, and so many times as long as the gap before it:
#: retransmissions, each twice as late as the last, stay one below the other.
_SILENCE_NS: Final = 10 * S
_SILENCE_FACTOR: Final = 4

#: Routine lines in a row beyond this many are folded, keeping some at either end.
_ROUTINE_MAX: Final = 14
_ROUTINE_KEPT: Final = 4


def ladder(trace: Trace, *, forever: bool = False) -> list[str]:
    """Draw a run, line by line.

    ``forever``: it is known that what still waits at the end will never go on.
    """
    return [line for _, line in _drawn(trace, forever=forever, folds_again=False)]


def excerpt(trace: Trace, *, lines_max: int, forever: bool = False) -> list[str]:
    """Draw of a run what a fault is about in so many lines: what it struck, and the end."""
    return shortened(_drawn(trace, forever=forever, folds_again=True), lines_max)


def both_ends(trace: Trace, *, first: int, last: int) -> list[str]:
    """Draw of a run so many lines of its beginning, and of its end."""
    return without_middle(_drawn(trace, forever=False, folds_again=True), first, last)


def _drawn(trace: Trace, *, forever: bool, folds_again: bool) -> list[Line]:
    """Draw a run; ``folds_again``: of a segment that is sent again and again two are enough."""
    reader = Reader(trace)
    moments = _folded(counted(_with_states(reader.moments())))
    moments = _with_silences(moments, trace.ended_ns)
    hosts = _hosts(trace, moments)
    if folds_again:
        moments = without_repeats(moments)
    tail = _tail(reader, trace, forever=forever)
    lines: list[Line]
    if len(hosts) > 2:
        lines = [*_list_lines(moments, hosts), *_tail_lines(tail)]
    else:
        lines = list(_Columns(hosts, _addresses(moments)).lines([*moments, *tail]))
    return [(moment, line.rstrip()) for moment, line in lines]


class _Columns:
    """Two hosts side by side."""

    def __init__(self, hosts: list[str], addresses: dict[str, str]) -> None:
        self._hosts = hosts
        self._addresses = addresses
        self._blocked: dict[str, list[int]] = {host: [] for host in hosts}
        self._calls: dict[int, str] = {}
        self._shown_at = ""

    def lines(self, moments: list[Moment]) -> Iterator[Line]:
        """Lay moments out; a state goes into the line of what its host does with it."""
        yield None, self._header()
        pending: Moment | None = None
        for moment in moments:
            if pending is not None and not _goes_with(pending, moment):
                yield from _lines_for(pending, self._host_line(pending))
                pending = None
            if moment.kind == "state":
                pending = moment
                continue
            state = pending.text if pending is not None else ""
            pending = None
            yield from _lines_for(moment, self._lines_of(moment, state))
        if pending is not None:
            yield from _lines_for(pending, self._host_line(pending))

    def _lines_of(self, moment: Moment, state: str) -> Iterator[str]:
        if moment.kind == "silence":
            yield from self._silence_lines(moment)
        elif moment.kind == "segment":
            yield from self._segment_lines(moment, state)
        elif moment.kind == "fault" and not moment.host:
            room = _RIGHT - _BAND - 4
            yield self._row(self._time(moment), band=f"~~ {moment.text} ~~".center(room, "~"))
        else:
            yield from self._host_line(moment)

    def _header(self) -> str:
        named = [f"{host} {self._addresses.get(host, '')}".strip() for host in self._hosts]
        line = "time".rjust(_TIME - 2).ljust(_TIME) + named[0]
        return f"{line:<{_RIGHT}}{named[1]}" if len(named) > 1 else line

    def _time(self, moment: Moment) -> str:
        shown = show_instant(moment.t_ns)
        if shown == self._shown_at:
            return ""
        self._shown_at = shown
        return shown

    def _bars(self, host: str) -> str:
        return "| " * min(len(self._blocked[host]), 3)

    def _room(self, host: str) -> int:
        """How long a host's line may be: nobody's bars are overwritten."""
        if any(self._blocked[other] for other in self._hosts if other != host):
            return _LANE_MAX
        return WIDTH - _TIME - len(self._bars(host))

    def _row(self, time: str, *, left: str = "", band: str = "", right: str = "") -> str:
        """Compose a line; the bars of blocked calls stand where nothing else does."""
        canvas = f"{time:>{_TIME - 2}}".ljust(_TIME) + self._bars(self._hosts[0])
        if left:
            canvas += left
        if band:
            canvas = canvas.ljust(_BAND) + band
        if len(self._hosts) < 2:
            return canvas
        mark = self._bars(self._hosts[1])
        text = mark + right
        start = min(_RIGHT, WIDTH - len(text))
        if start < _RIGHT:
            text, start = right, min(_RIGHT, WIDTH - len(right))
        return f"{canvas:<{start}}{text}" if text.strip() else canvas

    def _silence_lines(self, moment: Moment) -> Iterator[str]:
        """Say what is not drawn; behind it the bars are those of the calls that wait then."""
        is_beside = any(self._blocked[host] for host in self._hosts[1:])
        room = (_RIGHT - 1 if is_beside else WIDTH) - _TIME - len(self._bars(self._hosts[0]))
        text = f"... {moment.text}{_NO_BREAK}..."
        indent = " " * min(_BAND - _TIME, max(room - len(text), 0))
        for piece in wrap(text, room, initial_indent=indent, subsequent_indent="    "):
            yield self._row("", left=piece.replace(_NO_BREAK, " "))
        for hidden in moment.hides:
            self._unblock(hidden)
            self._block(hidden)

    def _unblock(self, moment: Moment) -> None:
        for call_id in (*moment.ends, *((moment.call_id,) if moment.kind == "return" else ())):
            for blocked in self._blocked.values():
                if call_id in blocked:
                    blocked.remove(call_id)

    def _block(self, moment: Moment) -> None:
        if moment.kind == "enter":
            self._blocked[moment.host].append(moment.call_id)

    def _host_line(self, moment: Moment) -> Iterator[str]:
        self._unblock(moment)
        if moment.text:
            time = self._time(moment)
            for piece in wrap(moment.text, self._room(moment.host), subsequent_indent="  "):
                if moment.host == self._hosts[0]:
                    yield self._row(time, left=piece)
                else:
                    yield self._row(time, right=piece)
                time = ""
        self._block(moment)

    def _segment_lines(self, moment: Moment, state: str) -> Iterator[str]:
        seen = moment.seen
        assert seen is not None, "a segment moment carries its packet"
        lost = f"lost: {seen.packet.why}" if seen.packet.why is not None else ""
        leaves_left = moment.host == self._hosts[0]
        if leaves_left and state:
            yield from self._host_line(
                Moment(t_ns=moment.t_ns, kind="state", host=moment.host, text=state)
            )
            state = ""
        time = self._time(moment)
        begin = max(_BAND, _TIME + len(self._bars(self._hosts[0])) + 1)
        room = _RIGHT - 2 - begin
        band = _arrow(seen, room, to_right=leaves_left, lost=bool(lost))
        right = state or lost
        yield self._row(time, band=" " * (begin - _BAND) + band, right=right)
        if state and lost:
            yield self._row("", right=lost)


def _lines_for(moment: Moment, lines: Iterator[str]) -> Iterator[Line]:
    return ((moment, line) for line in lines)


def _arrow(seen: Seen, room: int, *, to_right: bool, lost: bool) -> str:
    text = _fitting(seen, room - _ARROW_MIN - 1)
    shaft = "-" * max(room - len(text) - 2, _ARROW_MIN - 1)
    head = "x" if lost else (">" if to_right else "<")
    return f"{text} {shaft}{head}" if to_right else f"{head}{shaft} {text}"


def _fitting(seen: Seen, room: int) -> str:
    """Drop the window, then the acknowledgment, where a line would get too long."""
    note = f" {seen.note}" if seen.note else ""
    text = seen.summary + note
    if len(text) <= room or seen.seq is None:
        return text[:room]
    length = f" len {seen.length}" if seen.length else ""
    ack = f" ack {seen.ack}" if seen.ack is not None else ""
    text = f"{seen.flags} seq {seen.seq}{ack}{length}{note}"
    return text if len(text) <= room else f"{seen.flags} seq {seen.seq}{length}{note}"[:room]


def _goes_with(state: Moment, moment: Moment) -> bool:
    """Whether a state is said on the line of what its host sends at the same instant."""
    return moment.kind == "segment" and _concerns(moment, state)


def _concerns(moment: Moment, state: Moment) -> bool:
    """Whether a state is that of a connection which the host acts on at the same instant."""
    at_once = (moment.t_ns, moment.host) == (state.t_ns, state.host)
    return at_once and not set(state.conns).isdisjoint(moment.conns)


def _hosts(trace: Trace, moments: list[Moment]) -> list[str]:
    """Order the hosts: who sends the first packet stands left."""
    found = [moment.host for moment in moments if moment.kind == "segment"]
    found += [getattr(event, "host", "") for event in trace.events]
    found += [moment.host for moment in moments]
    return [host for host in dict.fromkeys(found) if host] or ["host"]


def _addresses(moments: list[Moment]) -> dict[str, str]:
    """Read from the packets which address a host sends from."""
    found: dict[str, str] = {}
    for moment in moments:
        if moment.seen is not None and not moment.seen.forwarded:
            found.setdefault(moment.host, host_of(moment.seen.src))
    return found


def _with_states(moments: Iterator[Moment]) -> list[Moment]:
    """Say a state on the line of the call that is made or ends on its connection just then."""
    shown: list[Moment] = []
    for moment in moments:
        last = shown[-1] if shown else None
        if last is None:
            shown.append(moment)
        elif moment.kind == "state" and last.kind in _CALLS and _concerns(last, moment):
            shown[-1] = replace(last, text=f"{last.text} ({moment.text})")
        elif moment.kind in _CALLS and last.kind == "state" and _concerns(moment, last):
            shown[-1] = replace(moment, text=f"{moment.text} ({last.text})")
        else:
            shown.append(moment)
    return shown


def _folded(moments: list[Moment]) -> list[Moment]:
    """Fold the middle of long transfers into one line that counts what it holds."""
    shown: list[Moment] = []
    run: list[Moment] = []
    for moment in moments:
        if moment.routine:
            run.append(moment)
            continue
        shown += _fold(run)
        run = []
        shown.append(moment)
    return shown + _fold(run)


def _fold(run: list[Moment]) -> list[Moment]:
    if len(run) <= _ROUTINE_MAX:
        return run
    hidden = tuple(run[_ROUTINE_KEPT:-_ROUTINE_KEPT])
    at, text = hidden[0].t_ns, _count(hidden)
    fold = Moment(t_ns=at, kind="silence", host="", text=text, hides=hidden)
    return [*run[:_ROUTINE_KEPT], fold, *run[-_ROUTINE_KEPT:]]


def _count(hidden: tuple[Moment, ...]) -> str:
    """Count what a fold hides; a call is one, whether its beginning is hidden, its end or both."""
    segments = [moment.seen for moment in hidden if moment.seen is not None]
    waited = {moment.call_id for moment in hidden if moment.kind in {"enter", "return"}}
    calls = len(waited) + sum(moment.times for moment in hidden if moment.kind == "call")
    if not segments:
        return plural(calls, "more call")
    octets = sum(seen.length for seen in segments)
    said = f"{plural(len(segments), 'more segment')}, {plural(octets, 'byte')}"
    return f"{said}, and {plural(calls, 'call')}" if calls else said


def _with_silences(moments: list[Moment], ended_ns: int) -> list[Moment]:
    """Put a line that says how long into every gap that is long and much longer than the last."""
    shown: list[Moment] = []
    gap_before, last = 0, 0
    for moment in moments:
        gap = moment.t_ns - last
        if shown and _is_silence(gap, gap_before):
            shown.append(_silence(last, gap))
        if gap:
            gap_before, last = gap, moment.t_ns
        if moment.hides:
            last = moment.hides[-1].t_ns
        shown.append(moment)
    if shown and _is_silence(ended_ns - last, gap_before):
        shown.append(_silence(last, ended_ns - last))
    return shown


def _is_silence(gap: int, before: int) -> bool:
    return gap >= _SILENCE_NS and gap >= _SILENCE_FACTOR * before


def _silence(at: int, gap: int) -> Moment:
    text = f"{show_duration(gap)}, nothing moves"
    return Moment(t_ns=at, kind="silence", host="", text=text)


def _tail(reader: Reader, trace: Trace, *, forever: bool) -> list[Moment]:
    """Say of every call that never returned that it still waits."""
    ending = "for ever" if forever else "still waits when the run ends"
    return [
        Moment(
            t_ns=trace.ended_ns,
            kind="return",
            host=entry.host,
            text=f"{reader.label(entry)}{call_name(entry.call)} ... {ending}",
            call_id=entry.call_id,
        )
        for entry in reader.waiting()
    ]


def _list_lines(moments: list[Moment], hosts: list[str]) -> Iterator[Line]:
    who = max(map(len, hosts))
    yield None, f"{'time':>{_TIME - 2}}  {'host':<{who}}  what"
    shown_at = ""
    for moment in moments:
        time = show_instant(moment.t_ns)
        lines = _list_line("" if time == shown_at else time, moment, who)
        yield from _lines_for(moment, lines)
        shown_at = time


def _list_line(time: str, moment: Moment, who: int) -> Iterator[str]:
    if moment.kind == "silence":
        yield f"{'':>{_TIME}}... {moment.text} ..."
        return
    text = moment.text
    if moment.seen is not None:
        seen = moment.seen
        text = f"{seen.src} > {seen.dst}  {seen.summary}"
        if seen.forwarded:
            text = f"passes on {text}"
        if seen.note:
            text += f"  {seen.note}"
        if seen.packet.why is not None:
            text += f"  x lost: {seen.packet.why}"
    elif moment.kind == "state":
        text = f"-> {text}"
    if not text:
        return
    room = WIDTH - _TIME - who - 2
    for number, piece in enumerate(wrap(text, room, subsequent_indent="    ")):
        host = moment.host if number == 0 else ""
        yield f"{time if number == 0 else '':>{_TIME - 2}}  {host:<{who}}  {piece}"


def _tail_lines(tail: list[Moment]) -> Iterator[Line]:
    """Write what still waits, as a list."""
    for moment in tail:
        yield moment, f"{'':>{_TIME}}{moment.host}: {moment.text}"
