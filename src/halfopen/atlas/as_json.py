"""Rows and their runs as JSON; ``schema.json`` beside this file says what may stand where."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from halfopen.atlas.annotate import Seen, annotate
from halfopen.atlas.english import ENGLISH
from halfopen.atlas.language import Language
from halfopen.atlas.runs import RowRun, VariantRun, is_recorded
from halfopen.record.events import Json
from halfopen.record.faults import describe_fault
from halfopen.record.query import Call, calls, faults
from halfopen.record.trace import Trace


def rows_json(rows: Sequence[RowRun], language: Language = ENGLISH) -> dict[str, Any]:
    """Write rows as one document; names and verdicts are the same in every language."""
    return {"notes": [_row(row, language) for row in rows]}


def schema() -> str:
    """Return the JSON schema that every document keeps."""
    return files("halfopen.atlas").joinpath("schema.json").read_text(encoding="utf-8")


def _row(row: RowRun, language: Language) -> dict[str, Any]:
    return {
        "id": row.line.id,
        "note": language.note(row.line),
        "verdict": row.verdict,
        "answer": language.answer(row),
        "more": language.more(row),
        "scenarios": [_scenario(row, run, language) for run in row.runs],
    }


def _scenario(row: RowRun, run: VariantRun, language: Language) -> dict[str, Any]:
    kernel = None
    if run.kernel is not None:
        kernel = {"recorded": is_recorded(run.kernel), **arm_json(run.kernel)}
    return {
        "name": run.variant.name,
        "question": language.title(row.line, row.note),
        "answer": f"failed: {run.failed}" if run.failed else run.outcome,
        "settings": dict(run.variant.settings),
        "arms": {
            "world": arm_json(run.world) if run.world is not None else None,
            "kernel": kernel,
        },
        "agrees": run.agrees,
        "differences": list(run.differences),
    }


def arm_json(trace: Trace) -> dict[str, Any]:
    """Write what one arm did: its calls, segments and faults."""
    return {
        "calls": [_call(call) for call in calls(trace)],
        "segments": [_segment(seen) for seen in annotate(trace)],
        "faults": [
            {
                "t_ns": event.t_ns,
                "kind": type(event.fault).__name__,
                "fault": describe_fault(event.fault),
                "effect": event.effect,
            }
            for event in faults(trace)
        ],
    }


def _call(call: Call) -> dict[str, Json]:
    return {
        "t_ns": call.t_ns,
        "host": call.host,
        "process": call.process,
        "thread": call.thread,
        "call": call.call,
        "result": call.result,
        "errno": call.errno,
        "blocked_ns": call.blocked_ns,
    }


def _segment(seen: Seen) -> dict[str, Json]:
    packet = seen.packet
    return {
        "t_ns": packet.t_ns,
        "host": packet.host,
        "link": packet.link,
        "protocol": seen.protocol,
        "src": seen.src,
        "dst": seen.dst,
        "flags": seen.flags,
        "seq": seen.seq,
        "ack": seen.ack,
        "len": seen.length,
        "win": seen.win,
        "note": seen.note,
        "arrived_ns": packet.arrived_ns,
        "lost": packet.why,
    }
