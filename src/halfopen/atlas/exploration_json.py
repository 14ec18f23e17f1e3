"""An exploration as JSON, as ``exploration.schema.json`` beside this file has it."""

from importlib.resources import files
from typing import Any

from halfopen.explore.advice import Advice
from halfopen.explore.report import FaultCount, Finding, Report, Who
from halfopen.explore.verdict import Crash
from halfopen.record.events import Json
from halfopen.record.faults import Fault, describe_fault
from halfopen.world.process import Waiting


def report_json(report: Report) -> dict[str, Any]:
    """Write an exploration as one document."""
    return {
        "target": report.target,
        "clean": report.clean,
        "points": {"total": report.points, "kinds": dict(report.kinds)},
        "runs": report.runs,
        "verdicts": dict(report.verdicts),
        "horizon_ns": report.horizon_ns,
        "faults": [_count(count) for count in report.faults],
        "errors": list(report.errors),
        "findings": [_finding(finding) for finding in report.findings],
    }


def schema() -> str:
    """Return the JSON schema that every document keeps."""
    return files("halfopen.atlas").joinpath("exploration.schema.json").read_text(encoding="utf-8")


def _count(count: FaultCount) -> dict[str, Any]:
    return {
        **_fault(count.fault),
        "fired": count.fired,
        "points": count.points,
        "verdicts": dict(count.verdicts),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    found = finding.outcome
    return {
        "verdict": finding.verdict,
        "fault": _fault(finding.fault),
        "point": {
            "number": finding.point.number,
            "kind": finding.point.kind,
            "host": finding.point.host,
            "t_ns": finding.point.t_ns,
            "where": finding.where,
        },
        "waits": _waits(finding.waits) if finding.waits is not None else None,
        "others": [_who(who) for who in finding.others],
        "pending": list(found.pending),
        "repeats": found.repeats,
        "crash": _crash(finding.crash) if finding.crash is not None else None,
        "detail": found.detail,
        "faults": [{**_fault(fault), "points": list(points)} for fault, points in finding.faults],
        "advice": [_advice(advice) for advice in finding.advice],
        "ended_ns": found.ended_ns,
        "token": finding.token,
    }


def _fault(fault: Fault) -> dict[str, Json]:
    return {"kind": type(fault).__name__, "fault": describe_fault(fault)}


def _waits(waits: Waiting) -> dict[str, Json]:
    return {
        "host": waits.host,
        "process": waits.process,
        "thread": waits.thread,
        "task": waits.task or None,
        "where": waits.where,
        "line": waits.line,
        "call": waits.call,
        "what": waits.what,
        "since_ns": waits.since_ns,
    }


def _who(who: Who) -> dict[str, Json]:
    host, process, thread = who
    return {"host": host, "process": process, "thread": thread}


def _crash(crash: Crash) -> dict[str, Json]:
    return {
        "host": crash.host,
        "process": crash.process,
        "where": crash.where,
        "line": crash.line,
        "how": crash.how,
    }


def _advice(advice: Advice) -> dict[str, Json]:
    return {"means": advice.means, "noticed_ns": advice.at_ns, "errno": advice.errno}
