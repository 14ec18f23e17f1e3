"""The command ``halfopen``. Each of its commands lies in a file of its own.

Exit status: 0 as expected, 1 a finding or a difference, 2 misuse, 3 not possible here (a full disk
too), 130 interrupted, 141 where whoever read the output closed it.
"""

import platform
import sys
from importlib.metadata import version as version_of
from textwrap import wrap
from typing import Annotated, Final

import typer

from halfopen.base.build import prefer_sources, running_build
from halfopen.cli.ask import ask
from halfopen.cli.compare import compare
from halfopen.cli.console import (
    OutputClosed,
    OutputFailed,
    forgive_standard_error,
    standard_output,
)
from halfopen.cli.explore import explore
from halfopen.cli.leaving import (
    EXPECTED,
    FINDING,
    MISUSE,
    NOT_POSSIBLE,
    OUTPUT_CLOSED,
    complain,
)
from halfopen.cli.replay import replay
from halfopen.cli.run import run

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
#: Every command, and what it means that it leaves with 0, and with 1.
_COMMANDS: Final = (
    (ask, "every row that was shown holds", "a run differs from the kernel's, or a row failed"),
    (compare, "both arms did the same", "they differ, or a scenario broke"),
    (explore, "no run came to a bad end", "a finding, or a fault that never fired"),
    (
        run,
        "nobody crashed or waits, but for work, and every check holds",
        "a program crashed, spins, or waits for ever, or a check fails",
    ),
    (
        replay,
        "the finding was not reproduced: the run came to no bad end",
        "the finding was reproduced, or the run is another than the token's (a line says so)",
    ),
)
_WIDTH: Final = 78


def _statuses(expected: str, finding: str) -> str:
    """Write what follows a command's help; its lines stay as they are."""
    said = {
        EXPECTED: expected,
        FINDING: finding,
        MISUSE: "misuse: a word, an option or a file is wrong",
        NOT_POSSIBLE: "not possible here: no namespaces, what is not simulated, or a full disk",
    }
    lines = ["\b", "Exit status:"]
    for status, meaning in said.items():
        lines += wrap(f"  {status}  {meaning}", _WIDTH, subsequent_indent=" " * 5)
    return "\n".join(lines)


for command, expected, finding in _COMMANDS:
    app.command(epilog=_statuses(expected, finding))(command)


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
    forgive_standard_error()
    try:
        with standard_output():
            app(prog_name="halfopen")
    except OutputClosed:
        sys.exit(OUTPUT_CLOSED)
    except OutputFailed as error:
        complain(f"can't write: {error}")
        sys.exit(NOT_POSSIBLE)
