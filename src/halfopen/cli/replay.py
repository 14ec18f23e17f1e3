"""``halfopen replay``: the run that a token names, once more."""

from typing import Annotated

import typer

from halfopen.cli.console import show
from halfopen.cli.leaving import EXPECTED, FINDING, leaves_with_status


@leaves_with_status
def replay(
    token: Annotated[str, typer.Argument(help="As a finding's last line gives it.")],
) -> int:
    """Run once more what a finding's token names."""
    from halfopen.atlas.finding import replay_lines  # with the whole world below it
    from halfopen.explore.run import replay as replay_token

    replayed = replay_token(token)
    show(replay_lines(replayed, token))
    return EXPECTED if replayed.outcome.verdict == "clean" else FINDING
