"""``halfopen explore``: a fault at every point of a run."""

from time import monotonic
from typing import Annotated

import typer

from halfopen.cli.console import progress_to, show
from halfopen.cli.leaving import EXPECTED, FINDING, leaves_with_status

_HOURS: float = 3.0


@leaves_with_status
def explore(
    target: Annotated[str, typer.Argument(help="A function that builds a world: client.py:world.")],
    *,
    seed: Annotated[int, typer.Option(help="What chance is drawn from.")] = 0,
    horizon: Annotated[
        float, typer.Option(help="Hours of virtual time that a run is watched after its fault.")
    ] = _HOURS,
    expect: Annotated[
        list[str] | None, typer.Option(help="An exception by which a program may end.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs side by side.")] = 2,
) -> int:
    """Let each fault happen at each point of a run, and say what hangs."""
    from halfopen.atlas.finding import report_lines  # with the whole world below it
    from halfopen.base.units import HOUR
    from halfopen.explore.request import Request
    from halfopen.explore.run import explore as explore_target

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
    show(report_lines(report, took_s=monotonic() - began))
    return EXPECTED if report.clean else FINDING
