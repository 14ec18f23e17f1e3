"""The command ``halfopen``. Each of its commands lies in a file of its own.

Exit status: 0 as expected, 1 a finding or a difference, 2 misuse, 3 not possible here, 130
interrupted, 141 where whoever read the output closed it.
"""

import platform
import sys
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from halfopen.base.build import prefer_sources, running_build
from halfopen.cli.ask import ask
from halfopen.cli.compare import compare
from halfopen.cli.console import OutputClosed, standard_output
from halfopen.cli.explore import explore
from halfopen.cli.leaving import OUTPUT_CLOSED
from halfopen.cli.replay import replay
from halfopen.cli.run import run

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (ask, compare, explore, run, replay):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        print(f"halfopen {version_of('halfopen')}, {running_build()} build, {python}")
        raise typer.Exit


@app.callback()
def halfopen(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which build.")
    ] = False,
) -> None:
    """What happens when the peer, the cable or the power is gone: asked, compared, explored."""
    del version  # dealt with by its callback


def main() -> None:
    """Run the command line; leaves with its exit status."""
    prefer_sources()
    try:
        with standard_output():
            app(prog_name="halfopen")
    except OutputClosed:
        sys.exit(OUTPUT_CLOSED)
