"""Anonymous network namespaces: made by unshare, held by a descriptor, gone with it.

Everything here changes the namespaces of the calling process, so only a conductor calls it: a
process of its own, with one thread, which ends with its run.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import struct
from pathlib import Path
from typing import Final

from halfopen.base.errors import NotPossibleHereError

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWUSER: Final = 0x10000000
MS_NOSUID_NODEV: Final = 0x2 | 0x4
MS_PRIVATE_BELOW: Final = (1 << 18) | 0x4000
CLONE_NEWNET: Final = 0x40000000
PR_SET_PDEATHSIG: Final = 1
PR_SET_TIMERSLACK: Final = 29

#: Priorities of SCHED_FIFO: programs, and before them the wire.
PROGRAM: Final = 1
WIRE: Final = 2

TUNSETIFF: Final = 0x400454CA
TUNSETCARRIER: Final = 0x400454E2
IFF_TUN: Final = 0x0001
IFF_TAP: Final = 0x0002
IFF_NO_PI: Final = 0x1000

_libc: Final = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Give the calling process namespaces of its own."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int) -> None:
    """Move the calling process into the network namespace that a descriptor holds."""
    _check(_libc.setns(fd, CLONE_NEWNET), "setns")


def mount_over(directory: str) -> None:
    """Lay an empty directory over one, seen by this process alone and gone with it.

    Requires: mounts of its own (CLONE_NEWNS).
    """
    _check(_libc.mount(b"none", b"/", None, MS_PRIVATE_BELOW, None), "mount")
    target = directory.encode()
    _check(_libc.mount(b"tmpfs", target, b"tmpfs", MS_NOSUID_NODEV, b"mode=755"), "mount")


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, however that ends.

    Requires: called after any change of credentials, which would clear it.
    """
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os._exit(1)  # the parent ended before the line above


def wake_on_time(priority: int) -> None:
    """Ask for timers without slack (50 µs by default), and to be run before all else if we may.

    The wire comes before the programs: who sends at the same instant is not heard later for it.
    """
    _check(_libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0), "prctl")
    # Without privilege, jitter is what the machine's load makes it.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))


def wait_ones_turn() -> None:
    """Come no longer before all else: what an interpreter does to end would hold others up."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def run_later() -> None:
    """Get ready behind those who already run; without privilege there would be no way back."""
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, 10)


def run_soon() -> None:
    """Run before what else this machine does, as far as we may."""
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -15)


def become_root_of_own() -> None:
    """Enter a user namespace, in which network namespaces may be made, unless root already."""
    if os.geteuid() == 0:
        return
    uid, gid = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")


def give_up_privileges(parent: int) -> None:
    """Have no privilege over the network namespace any more: it is a stranger's from now on.

    Requires: one thread.
    """
    unshare(CLONE_NEWUSER)
    die_with_parent(parent)


def new_namespace() -> int:
    """Enter a new, empty network namespace and return the descriptor that holds it."""
    unshare(CLONE_NEWNET)
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def open_tun(name: str, *, ethernet: bool = False) -> int:
    """Make a TUN interface in the present namespace; it lives as long as the descriptor.

    One packet a read, or one Ethernet frame, no header before it, no offloads: what is read is what
    a wire would carry.
    """
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    kind = (IFF_TAP if ethernet else IFF_TUN) | IFF_NO_PI
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), kind))
    except OSError:
        os.close(fd)
        raise
    return fd


def set_carrier(tun: int, *, present: bool) -> None:
    """Give a TUN interface carrier, or take it away, as plugging its own cable would."""
    fcntl.ioctl(tun, TUNSETCARRIER, struct.pack("i", present))


def set_sysctl(name: str, setting: int | str) -> None:
    """Write a ``net.`` sysctl of the present network namespace.

    Raises NotPossibleHereError where this kernel has no such name.
    """
    assert name.startswith("net."), f"{name} is the whole machine's, not a namespace's"
    path = Path("/proc/sys", *name.split("."))
    try:
        path.write_text(f"{setting}\n", encoding="ascii")
    except FileNotFoundError:
        msg = f"this kernel ({os.uname().release}) has no sysctl {name}"
        raise NotPossibleHereError(msg) from None
    except OSError as error:
        msg = f"sysctl {name} = {setting} can't be set here: {error.strerror}"
        raise NotPossibleHereError(msg) from None


def _check(status: int, call: str) -> None:
    if status < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def obstacle() -> str | None:
    """Say why this process can't make a namespace with a TUN interface; None: it could, and did."""
    steps = (
        ("a user namespace", become_root_of_own),
        ("a network namespace", new_namespace),
        ("a mount namespace", lambda: unshare(CLONE_NEWNS | CLONE_NEWUTS)),
        ("/dev/net/tun", lambda: open_tun("try0")),
        ("sysctl", lambda: set_sysctl("net.ipv4.tcp_retries2", 15)),
    )
    for what, step in steps:
        try:
            step()
        except (OSError, NotPossibleHereError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            return f"{what}: {reason}"
    return None
