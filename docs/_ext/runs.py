"""The directive ``run``: a command of ours, run when the page is built, and what it printed.

```{run} halfopen ask N18
:exit: 0
```
"""

import os
import shlex
import subprocess
import sys
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def output_of(command: str, cwd: str | None = None) -> tuple[int, str]:
    """Run ``halfopen ...`` with this Python, 80 columns wide, without colour."""
    name, *arguments = shlex.split(command)
    assert name == "halfopen", f"only our own command is run in pages, not {name!r}"
    done = subprocess.run(
        [sys.executable, "-m", "halfopen", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"},
    )
    return done.returncode, done.stdout + done.stderr


class Run(SphinxDirective):
    """Shows a command and its output; another exit status than the stated one fails the build."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {"exit": directives.nonnegative_int}

    def run(self) -> list[nodes.Node]:
        """Return the block."""
        command = self.arguments[0]
        status, output = output_of(command)
        if status != self.options.get("exit", 0):
            message = f"`{command}` ended with {status}:\n{output}"
            return [self.state_machine.reporter.error(message, line=self.lineno)]
        text = f"$ {command}\n{output.rstrip()}"
        block = nodes.literal_block(text, text, language="text")
        return [block]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("run", Run)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
