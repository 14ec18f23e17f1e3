"""``halfopen run``: a target's world, undisturbed, as a ladder."""

from typing import Annotated

import typer

from halfopen.cli.console import show
from halfopen.cli.leaving import EXPECTED, FINDING, leaves_with_status


@leaves_with_status
def run(
    target: Annotated[
        str, typer.Argument(help="A file and its function that returns a World: client.py:world.")
    ],
    *,
    seed: Annotated[
        int | None, typer.Option(help="What chance is drawn from; by default the world's own.")
    ] = None,
) -> int:
    """Run a world without a fault, and show what happened."""
    from halfopen.atlas.finding import run_lines  # with the whole world below it
    from halfopen.explore.request import Replay, Request
    from halfopen.explore.run import replay

    asked = Replay(request=Request(target=target, seed=seed), point=0, fault=None)
    lines, as_expected = run_lines(replay(asked))
    show(lines)
    return EXPECTED if as_expected else FINDING
