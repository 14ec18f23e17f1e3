"""Both arms of a variant side by side, opened where they first differ."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from textwrap import wrap
from typing import Final, TypeAlias

from halfopen.atlas.moments import Moment, Reader
from halfopen.atlas.phrases import plural, show_instant
from halfopen.atlas.runs import PROFILE, short_release
from halfopen.base.value import value
from halfopen.compare.rules import ALLOWED, LOOKS_MAX
from halfopen.record.trace import Trace

#: How often the tick comes of the kernel that the world follows.
PROFILE_HZ: Final = 250

_WIDTH: Final = 80
_BEFORE: Final = 4
_AFTER: Final = 8
_TEXT: Final = 33
_SHOWN_MAX: Final = 4
_WAITED: Final = re.compile(r" after [^,]*")
_UNEQUAL: Final = re.compile(r" win \d+|:\d{5}\b")

Key: TypeAlias = tuple[str, str, str]


@value
class Comparison:
    """One variant on both arms. ``failed`` says which arm broke, and how.

    ``looks`` counts the kernel's runs, until it agreed or had its say; ``before`` says what
    differed in the one before the last.
    """

    note_id: str
    number: int
    name: str
    world: Trace | None
    kernel: Trace | None
    differences: tuple[tuple[int, str], ...]  # when, and in a sentence
    failed: str = ""
    looks: int = 1
    before: tuple[str, ...] = ()


def allowance_lines() -> list[str]:
    """List what may differ between both arms although both are right, and why."""
    lines = wrap(
        "What may differ although both arms are right; everything else must be equal. "
        "A variant that differs is run on the kernel again, up to "
        f"{LOOKS_MAX} looks in all. Where one look agrees it is let off; where none does, the last "
        "one's differences count.",
        _WIDTH,
    )
    for allowed in ALLOWED:
        lines += ["", *wrap(allowed.what, _WIDTH)]
        for text in (allowed.how, f"({allowed.why})"):
            lines += wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return lines


def profile_lines(kernel: Trace) -> list[str]:
    """Say where this kernel is not the one that the world follows; nothing where it is."""
    release = short_release(str(kernel.meta.get("release", "")))
    hz = kernel.meta.get("hz", PROFILE_HZ)
    if (release, hz) == (PROFILE, PROFILE_HZ):
        return []
    text = (
        f"This kernel is Linux {release} with HZ {hz}; the world follows {PROFILE} with "
        f"{PROFILE_HZ}. What differs below may differ between the two."
    )
    return wrap(text, _WIDTH)


def comparison_lines(compared: Comparison, *, kernel_name: str) -> list[str]:
    """Write one line where the arms agree; where they don't, what differs, and both runs there."""
    head = f"{compared.note_id} {compared.number:>3}  {compared.name}"
    if compared.failed:
        return [*_headed(head, "failed"), *_hung(compared.failed)]
    if not compared.differences:
        if compared.looks == 1:
            return _headed(head, "agrees")
        return [*_headed(head, f"agrees at look {compared.looks}"), *_before(compared)]
    lines = _headed(head, "differs")
    for _, text in compared.differences[:_SHOWN_MAX]:
        lines += _hung(text)
    if len(compared.differences) > _SHOWN_MAX:
        lines.append(f"  ... and {len(compared.differences) - _SHOWN_MAX} more")
    assert compared.world is not None, "what differs has run"
    assert compared.kernel is not None, "what differs has run"
    first_ns = compared.differences[0][0]
    return [*lines, *_side_by_side(compared.world, compared.kernel, first_ns, kernel_name)]


def _before(compared: Comparison) -> list[str]:
    """Say what differed before it agreed; most often the machine was busy with something else."""
    text = compared.before[0] if compared.before else "the kernel's arm failed"
    return _hung(f"look {compared.looks - 1}: {text}")


def busy_lines(comparisons: Sequence[Comparison], load: float, cores: int) -> list[str]:
    """Say that what differs, or broke, may be this machine's doing: more wants to run than can."""
    tasks = round(load)
    its_own = any(
        compared.differences or (compared.kernel is None and compared.world is not None)
        for compared in comparisons
    )
    if tasks <= cores or not its_own:
        return []
    text = (
        f"This machine is busy: {tasks} tasks want its {'core' if cores == 1 else f'{cores} cores'}"
        ". Programs and wire of the kernel arm run late on it: times differ by that, and a run may "
        "break. Look again when it is idle."
    )
    return wrap(text, _WIDTH)


def summary_line(comparisons: Sequence[Comparison], *, rows: int, calls: int, segments: int) -> str:
    """Count everything that was compared."""
    differences = sum(len(compared.differences) for compared in comparisons)
    failed = sum(bool(compared.failed) for compared in comparisons)
    counted = [
        plural(rows, "row"),
        plural(len(comparisons), "variant"),
        plural(calls, "call"),
        plural(segments, "segment"),
        plural(differences, "difference"),
    ]
    again = sum(compared.looks > 1 for compared in comparisons)
    looked = f", {again} looked at again" if again else ""
    return ", ".join(counted) + looked + (f", {failed} failed" if failed else "")


def _headed(head: str, verdict: str) -> list[str]:
    pieces = wrap(head, _WIDTH - len(verdict) - 2, subsequent_indent=" " * 9)
    return [f"{pieces[0]:<{_WIDTH - len(verdict) - 2}}  {verdict}", *pieces[1:]]


def _hung(text: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")


def _side_by_side(world: Trace, kernel: Trace, first_ns: int, kernel_name: str) -> list[str]:
    pairs = _aligned(_shown(world), _shown(kernel))
    at = next((n for n, pair in enumerate(pairs) if _is_from(pair, first_ns)), len(pairs) - 1)
    lines = [f"{'world':>17}{'':<{_TEXT - 3}}kernel {kernel_name}".rstrip()]
    shown = range(max(at - _BEFORE, 0), min(at + _AFTER, len(pairs)))
    return lines + [_pair_line(*pairs[number], here=number == at) for number in shown]


def _shown(trace: Trace) -> list[Moment]:
    """Leave out what one arm alone can see."""
    return [m for m in Reader(trace).moments() if m.kind != "state" and m.text]


def _is_from(pair: tuple[Moment | None, Moment | None], first_ns: int) -> bool:
    """Whether a pair lies at an instant of the world, or beyond it."""
    ours, theirs = pair
    known = ours or theirs
    return known is not None and known.t_ns >= first_ns


def _aligned(
    ours: Sequence[Moment], theirs: Sequence[Moment]
) -> list[tuple[Moment | None, Moment | None]]:
    matcher = SequenceMatcher(None, list(map(_key, ours)), list(map(_key, theirs)), autojunk=False)
    pairs: list[tuple[Moment | None, Moment | None]] = []
    for what, i, i_end, j, j_end in matcher.get_opcodes():
        if what == "equal":
            pairs += zip(ours[i:i_end], theirs[j:j_end], strict=True)
        else:
            pairs += [(moment, None) for moment in ours[i:i_end]]
            pairs += [(None, moment) for moment in theirs[j:j_end]]
    return pairs


def _key(moment: Moment) -> Key:
    """What stands for the same in both arms: waits, windows and drawn ports aside."""
    text = _UNEQUAL.sub("", _WAITED.sub("", moment.text))
    return moment.kind, moment.host, text


def _pair_line(ours: Moment | None, theirs: Moment | None, *, here: bool) -> str:
    mark = ">" if here else " "
    left = show_instant(ours.t_ns) if ours is not None else ""
    text = _shorten(_text(ours), _TEXT - 1) if ours is not None else "-"
    line = f"{mark} {left:>10}  {text:<{_TEXT}}"
    if theirs is None:
        return f"{line} {'-':>10}".rstrip()
    head = f"{line} {show_instant(theirs.t_ns):>10}  "
    return head + ("the same" if ours is not None else _shorten(_text(theirs), _WIDTH - len(head)))


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _text(moment: Moment) -> str:
    where = f"{moment.host}: " if moment.host else ""
    return where + _UNEQUAL.sub("", moment.text)
