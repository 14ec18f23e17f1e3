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
    from halfopen.atlas.finding import is_another, replay_lines  # with the whole world below it
    from halfopen.explore.request import read_token
    from halfopen.explore.run import replay as replay_run

    asked = read_token(token)
    replayed = replay_run(asked)
    show(replay_lines(replayed, asked, token))
    as_named = replayed.outcome.verdict == "clean" and not is_another(replayed, asked)
    return EXPECTED if as_named else FINDING
