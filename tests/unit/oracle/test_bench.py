"""A program that does not come to its start is told in time."""

import os
import subprocess
import sys

import pytest
from tests.unit.oracle import programs

from halfopen.base.units import MS
from halfopen.oracle import bench
from halfopen.oracle.machines import Child
from halfopen.scenario.model import Process


def test_a_program_that_never_gets_ready_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bench, "_READY_WITHIN_NS", 50 * MS)
    process = Process(host="client", name="client", program=programs.marks)
    events, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as popen:
        child = Child(process, popen.pid, (-1, -1, events, -1), 0)
        with pytest.raises(AssertionError, match="client is ready in time"):
            bench._await_ready(child)
        popen.kill()
    for fd in (events, theirs, child.pidfd):
        os.close(fd)
