"""``halfopen explore``: a fault at every point of a run."""

import json
from time import monotonic
from typing import Annotated, Final

import typer

from halfopen.base.errors import MisuseError
from halfopen.cli.console import progress_to, show
from halfopen.cli.leaving import EXPECTED, FINDING, leaves_with_status

_HOURS: Final = 3.0
#: A hundred years; in nanoseconds they still have a place in 64 bits.
_HOURS_MAX: Final = 1_000_000
#: Each takes a process and a descriptor, of which a shell grants 1024.
_JOBS_MAX: Final = 256


@leaves_with_status
def explore(  # noqa: PLR0913  one for each option
    target: Annotated[
        str, typer.Argument(help="A file and its function that returns a World: client.py:world.")
    ],
    *,
    seed: Annotated[
        int | None, typer.Option(help="What chance is drawn from; by default the world's own.")
    ] = None,
    horizon: Annotated[
        float, typer.Option(help="Hours of virtual time that a run is watched after its fault.")
    ] = _HOURS,
    expect: Annotated[
        list[str] | None,
        typer.Option(help="An exception by which a program may end, or one that it derives from."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=_JOBS_MAX, help="Runs side by side.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> int:
    """Let each fault happen at each point of a run, and say what hangs."""
    from halfopen.base.units import HOUR  # these bring the whole world with them
    from halfopen.explore.request import Request
    from halfopen.explore.run import explore as explore_target

    if not (horizon * HOUR >= 1 and horizon <= _HOURS_MAX):
        msg = f"--horizon must be positive, and at most {_HOURS_MAX} hours: {horizon:g}"
        raise MisuseError(msg)
    request = Request(
        target=target,
        seed=seed,
        horizon_ns=int(horizon * HOUR),
        expected=tuple(expect or ()),
        jobs=jobs,
    )
    began = monotonic()
    with progress_to("exploring") as done:
        report = explore_target(request, done)
    took_s = monotonic() - began
    if as_json:
        from halfopen.atlas.exploration_json import report_json

        print(json.dumps(report_json(report), indent=1))
    else:
        from halfopen.atlas.finding import report_lines

        show(report_lines(report, took_s=took_s))
    return EXPECTED if report.clean else FINDING
