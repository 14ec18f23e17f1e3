"""``halfopen ask``: the answer sheet, one row in full, or the row that some words mean."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Annotated, Final

import typer

from halfopen.atlas.chinese import CHINESE
from halfopen.atlas.english import ENGLISH
from halfopen.atlas.language import Language
from halfopen.atlas.runs import Arms, RowRun
from halfopen.atlas.searching import Index
from halfopen.atlas.words import (
    is_chinese,
    is_state,
    named_rows,
    near_rows,
    near_states,
    nearest,
    parse_rows,
    state_first,
)
from halfopen.base.errors import MisuseError
from halfopen.base.value import value
from halfopen.cli.console import progress, show
from halfopen.cli.leaving import EXPECTED, FINDING, leaves_with_status
from halfopen.scenario.lines import Line
from halfopen.scenario.model import Note
from halfopen.scenario.notes import all_notes, catalogue, load

SEED: Final = 1
_ALSO_MAX: Final = 6
_DOCUMENTS: Final = ("--markdown", "--vimhelp")
#: How the name of a file ends that somebody wants a document in.
_FILE: Final = re.compile(r"\S+\.(md|markdown|txt|json)")


#: The languages of the sheet: that of the project, and that of the notes.
_LANGUAGES: Final = {each.code: each for each in (ENGLISH, CHINESE)}


@leaves_with_status
def ask(  # noqa: PLR0913  each is an option of the command
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="A row (N07), several (N01-N13), words (power cut in recv), or a state and what"
            " happens in it (SYN_SENT RST)."
        ),
    ] = None,
    *,
    variant: Annotated[int | None, typer.Option(help="Draw this variant of the row.")] = None,
    pcap: Annotated[Path | None, typer.Option(help="Write captures for Wireshark here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Write a Markdown document.")
    ] = False,
    as_vimhelp: Annotated[
        bool, typer.Option("--vimhelp", help="Write a help file of vim.")
    ] = False,
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(_LANGUAGES),
            help="In English, or in Chinese; by default that of the words.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="What chance is drawn from.")] = SEED,
) -> int:
    """Ask the notes: every row, or one in full."""
    texts = words or []
    language = _language(lang, " ".join(texts))
    form = _form({"--json": as_json, "--markdown": as_markdown, "--vimhelp": as_vimhelp})
    _check_no_file(texts, form)
    asked = state_first(" ".join(texts))
    if is_state(asked):
        if form or pcap is not None or variant is not None or language is not ENGLISH:
            raise MisuseError("a state is shown as text, in English: the options are for rows")
        show(_cells(asked))
        return EXPECTED
    found = _find(texts)
    if not found.sure:
        if form or pcap is not None or variant is not None:
            raise _ambiguous(asked, found)
        _show_candidates(found, language)
        return EXPECTED
    wanted = found.wanted
    if variant is not None:
        _check_variant(wanted, variant, form)
    notes = {line.id: load(line.id) for line in wanted}
    begins = len(wanted) > 1 and not form and pcap is None
    if begins:  # the runs take a while; captures are written before anything is shown
        _show_head(notes, language)
    rows, cpu_s = _run(wanted, notes, seed=seed)
    if pcap is not None:
        _write_captures(rows, variant, pcap, quiet=bool(form))
    if form:
        _write(form, rows, language)
    elif len(rows) == 1:
        _show_row(rows[0], variant, asked, language)
        _show_also(found, language)
    else:
        _show_sheet(rows, cpu_s, language, begun=begins)
    return FINDING if any(map(_is_finding, rows)) else EXPECTED


def _check_no_file(texts: Sequence[str], form: str) -> None:
    """Raise MisuseError where a form of output is given a file, as if it took one."""
    for text in texts:
        if form and _FILE.fullmatch(text):
            raise MisuseError(f"{form} takes no file; write it with: > {text}")


def _language(code: str | None, text: str) -> Language:
    """Find the language that is asked for, or else that of a text. Raises MisuseError."""
    if code is None:
        return CHINESE if is_chinese(text) else ENGLISH
    if code not in _LANGUAGES:
        said = f" {text}" if text else ""
        raise MisuseError(
            f"no language {code!r}: the sheet is in English ({ENGLISH.code}) and in Chinese"
            f" ({CHINESE.code}).\n  Try: halfopen ask{said} --lang {ENGLISH.code}"
        )
    return _LANGUAGES[code]


def _cells(asked: str) -> list[str]:
    """Look a state up.

    Raises MisuseError, naming the nearest, and the row that knows the words best, where nothing
    happens there that is called so: what a program calls in a state is a row's matter.
    """
    from halfopen.atlas.cells import lookup  # with the stack below it

    try:
        return lookup(asked.split())
    except MisuseError as error:
        index = Index(all_notes())
        _, _, called = asked.partition(" ")
        rows = index.search(asked).rows[:1] if index.search(called).rows else ()
        lines = [f"  Or the row: halfopen ask {line.id}  ({line.title})" for line in rows]
        raise MisuseError("\n".join([str(error), *lines])) from None


def _form(wanted: Mapping[str, bool]) -> str:
    """Find the option that wants another form than text; "" where none does."""
    forms = [option for option, is_wanted in wanted.items() if is_wanted]
    if len(forms) > 1:
        raise MisuseError(f"one form at a time: {' or '.join(forms)}")
    return "".join(forms)


def _write(form: str, rows: Sequence[RowRun], language: Language) -> None:
    """Write rows in another form than text."""
    match form:
        case "--markdown":
            from halfopen.atlas.markdown import markdown

            print("\n".join(markdown(rows, language)))
        case "--vimhelp":
            from halfopen.atlas.vimhelp import vimhelp

            print("\n".join(vimhelp(rows, language)))
        case _:
            from halfopen.atlas.as_json import rows_json

            print(json.dumps(rows_json(rows, language), indent=1))


@value
class _Asked:
    """The rows that are asked for, and those that may be; ``sure``: that these are wanted."""

    wanted: Sequence[Line]
    others: Sequence[Line] = ()
    sure: bool = True
    unknown: Sequence[str] = ()  # words that no row knows


def _find(texts: Sequence[str]) -> _Asked:
    """Find the rows that are meant.

    Raises MisuseError, naming the nearest, where there are none.
    """
    if not texts:
        return _Asked(wanted=list(catalogue().values()))
    asked = " ".join(texts)
    ids = parse_rows(texts) or parse_rows(asked.split())
    if ids:
        for id_ in ids:
            if id_ not in catalogue():
                raise MisuseError(f"no row {id_}. Nearest: {nearest(id_)}.")
        return _Asked(wanted=[catalogue()[id_] for id_ in ids])
    if rows := named_rows(asked.split()):
        raise _mixed(asked.split(), rows)
    notes = all_notes()
    if states := near_states(asked, notes):
        from halfopen.atlas.cells import unknown_state  # with the stack below it

        raise unknown_state(asked.split(), states)
    found = Index(notes).search(asked)
    if not found.rows:
        raise _unknown(asked)
    first, *others = found.rows
    return _Asked(wanted=[first], others=others, sure=found.sure, unknown=found.unknown)


def _mixed(words: Sequence[str], rows: Sequence[str]) -> MisuseError:
    """Say that rows are asked for, and something that is none beside them."""
    rest = " ".join(word for word in words if word not in rows)
    said = f"{' and '.join(rows)} {'are rows' if len(rows) > 1 else 'is a row'}"
    return MisuseError(
        f"{said}, but {rest!r} is none: rows or words, one at a time.\n"
        f"  Try: halfopen ask {' '.join(rows)}"
    )


def _ambiguous(asked: str, found: _Asked) -> MisuseError:
    """Say that a document, a variant or a capture needs to know which row is meant."""
    rows = [*found.wanted, *found.others][:_ALSO_MAX]
    named = [f"  {line.id}  {line.title}" for line in rows]
    return MisuseError("\n".join([f"{asked!r} may mean several rows; name one by its id:", *named]))


def _unknown(asked: str) -> MisuseError:
    """Say that no row knows some words, and how to go on."""
    near = near_rows(asked)
    if near:
        return MisuseError(
            f"no row knows {asked!r}. Nearest: {nearest(asked)}.\n  Try: halfopen ask {near[0]}"
        )
    return MisuseError(
        f"no row knows {asked!r}, and none is near.\n"
        "  Every row: halfopen ask\n"
        f"  By words:  halfopen ask {ENGLISH.example}"
    )


def _run(
    lines: Sequence[Line], notes: Mapping[str, Note | None], *, seed: int
) -> tuple[list[RowRun], float]:
    """Run rows, and count the CPU time that it took."""
    from halfopen.cli.workers import run_rows  # needs a moment

    total = sum(len(note.variants) for note in notes.values() if note is not None)
    before = _cpu_s()
    arms = _arms() if total else None
    with progress("running the world", total) as done:
        found = run_rows(lines, notes, arms, seed=seed, done=done)
    return found, _cpu_s() - before


def _arms() -> Arms:
    from halfopen.cli.arms import RecordedArms  # not needed for a row that is open

    return RecordedArms()


def _cpu_s() -> float:
    usages = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _is_finding(row: RowRun) -> bool:
    return bool(row.failed) or any(run.agrees is False for run in row.runs)


def _check_variant(lines: Sequence[Line], variant: int, form: str) -> None:
    if form in _DOCUMENTS:
        raise MisuseError(f"{form} writes rows as a whole, without --variant")
    if len(lines) != 1:
        raise MisuseError("--variant needs one row, as in: halfopen ask N07 --variant 3")
    note = load(lines[0].id)
    count = len(note.variants) if note is not None else 0
    if not 1 <= variant <= count:
        numbered = f"1 to {count}" if count else "none yet: it is open"
        raise MisuseError(f"no variant {variant} of {lines[0].id}; it has {numbered}.")


def _show_row(row: RowRun, variant: int | None, asked: str, language: Language) -> None:
    from halfopen.atlas.row import row_page

    show(row_page(row, variant=variant, asked=asked, language=language))


def _show_also(found: _Asked, language: Language) -> None:
    unknown = [language.unknown(found.unknown)] if found.unknown else []
    also = [language.also, *_named(found.others, language)] if found.others else []
    if unknown or also:
        show(["", *unknown, *also])


def _show_candidates(found: _Asked, language: Language) -> None:
    """Name the rows that may be meant, where none of them is it for sure."""
    unknown = [language.unknown(found.unknown)] if found.unknown else []
    rows = _named([*found.wanted, *found.others], language)
    see = f"{language.see}halfopen ask {found.wanted[0].id}{language.option}"
    show([*unknown, language.candidates, *rows, "", see])


def _named(lines: Sequence[Line], language: Language) -> list[str]:
    return [f"  {line.id}  {language.title(line, None)}" for line in lines[:_ALSO_MAX]]


def _show_head(notes: Mapping[str, Note | None], language: Language) -> None:
    from halfopen.atlas.sheet import sheet_head

    variants = [variant for note in notes.values() if note is not None for variant in note.variants]
    show(sheet_head(variants, language))


def _show_sheet(rows: Sequence[RowRun], cpu_s: float, language: Language, *, begun: bool) -> None:
    from halfopen.atlas.sheet import sheet, sheet_body

    show((sheet_body if begun else sheet)(rows, cpu_s=cpu_s, language=language))


def _write_captures(
    rows: Sequence[RowRun], variant: int | None, folder: Path, *, quiet: bool
) -> None:
    from halfopen.atlas.capture import capture

    written = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for row in rows:
            for run in row.runs:
                if run.world is not None and variant in {None, run.number}:
                    path = folder / f"{row.line.id}-{run.number:02d}.pcapng"
                    path.write_bytes(capture(run.world))
                    written += 1
    except OSError as error:
        raise MisuseError(f"can't write captures to {folder}: {error.strerror}") from error
    if not quiet:
        show([f"{written} captures written to {folder}/", ""])
