"""What every test shares: the kernel arm's leave to run, and repeatable property tests in CI."""

import os
import signal
import subprocess
import sys
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

from halfopen.base.build import running_build

#: How long a machine takes is no failure: a test that hangs has its own limit.
_UNTIMED = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.register_profile("here", _UNTIMED)
settings.register_profile("ci", _UNTIMED, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

#: Leaves our namespaces for a new one, in a process of its own, and opens a TUN device's door.
_TRIAL = """
import ctypes, os
flags = 0x40000000 if os.geteuid() == 0 else 0x50000000  # CLONE_NEWNET, CLONE_NEWUSER
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(flags):
    raise SystemExit("unshare: " + os.strerror(ctypes.get_errno()))
try:
    os.close(os.open("/dev/net/tun", os.O_RDWR))
except OSError as error:
    raise SystemExit(f"/dev/net/tun: {error.strerror}")
"""


@cache
def why_no_kernel_arm() -> str:
    """Say what keeps the kernel arm from running here; empty where nothing does."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", _TRIAL], check=False, capture_output=True, text=True
    )
    return done.stderr.strip() if done.returncode else ""


def pytest_configure() -> None:
    """Let what tests start notice Ctrl-C, also where this run is a background job.

    A shell without job control lets those ignore it, and what is ignored stays so over an exec.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> list[str]:
    why = why_no_kernel_arm()
    return [
        f"halfopen: {running_build()} build",
        f"kernel arm: {'skipped, ' + why if why else 'network namespaces are allowed'}",
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("kernel") and why_no_kernel_arm():
            item.add_marker(pytest.mark.skip(reason=f"kernel arm: {why_no_kernel_arm()}"))
