"""``pytest -p tests.measured``: every branch of the stack is reached, or the run fails.

Measured are the tests that say what happens: those of the units, and what was recorded from Linux.
What chance reaches in a property counts for nothing, nor does what a row comes by on its way; the
product of every state and segment reaches nothing more, and need not be slower.
"""

import io
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Final, Protocol

import pytest
from coverage import Coverage, CoverageData

PACKAGES: Final = ("wire", "tcp", "net", "sockets")
MEASURED: Final = ("tests/unit/", "tests/property/test_recorded.py")
UNMEASURED: Final = (
    "tests/unit/atlas/",
    "tests/unit/cli/",
    "tests/unit/explore/",
    "tests/unit/guest/test_as_cpython.py::test_as_cpython[library",  # whose recursion would tell
    "tests/unit/tcp/test_product.py",
)
#: Under which a worker gives what it measured.
_GIVEN: Final = "measured"


class Node(Protocol):
    """A worker, as xdist tells of it."""

    workeroutput: dict[str, object]


class Measured:
    """What is measured in this process, and in the workers that it has."""

    def __init__(self) -> None:
        root = Path(__file__).parents[1]
        self.coverage = Coverage(data_file=None, config_file=str(root / "pyproject.toml"))
        self.total = 0.0
        self.report = io.StringIO()
        with self.coverage.collect():
            for name in PACKAGES:
                package = import_module(f"halfopen.{name}")
                for module in walk_packages(package.__path__, f"{package.__name__}."):
                    import_module(module.name)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if not item.nodeid.startswith(MEASURED) or item.nodeid.startswith(UNMEASURED):
            return (yield)
        with self.coverage.collect():
            return (yield)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Node) -> None:
        """Take in what a worker measured; one that crashed gives nothing."""
        given = getattr(node, "workeroutput", {}).get(_GIVEN)
        if isinstance(given, bytes):
            data = CoverageData(no_disk=True)
            data.loads(given)
            self.coverage.get_data().update(data)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_GIVEN] = self.coverage.get_data().dumps()
            return
        self.total = self.coverage.report(file=self.report)
        if self.total < 100 and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("branches of the stack that no test reaches")
        terminalreporter.write(self.report.getvalue())


def pytest_configure(config: pytest.Config) -> None:
    assert not any(f"halfopen.{name}" in sys.modules for name in PACKAGES), "loaded unmeasured"
    config.pluginmanager.register(Measured(), "measured")
