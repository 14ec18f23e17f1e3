"""What may go wrong, done to real kernels and the wire between them."""

import os
import signal
from typing import Final

from halfopen.base.rng import Rng
from halfopen.oracle import namespaces
from halfopen.oracle.bench import Bench
from halfopen.record.faults import (
    AddressGone,
    CableIn,
    CableOut,
    Continue,
    Duplicate,
    Fault,
    Forge,
    Impair,
    InterfaceDown,
    InterfaceUp,
    Kill,
    Lose,
    PowerOff,
    PowerOn,
    Stop,
    Unreachable,
)
from halfopen.wire.tampering import Tampering

#: Whether a process is stopped after the signal.
_STOPS: Final = {signal.SIGSTOP: True, signal.SIGCONT: False}


def strike(bench: Bench, fault: Fault, rng: Rng, now: int) -> bool:  # noqa: PLR0911
    """Make a fault happen; False: it found nothing to act on. One arm for each fault."""
    match fault:
        case Kill():
            return _signal(bench, fault.process, signal.Signals[fault.signal])
        case Stop():
            return _signal(bench, fault.process, signal.SIGSTOP)
        case Continue():
            return _signal(bench, fault.process, signal.SIGCONT)
        case PowerOff():
            return _power_off(bench, fault.host, now)
        case PowerOn():
            return _power_on(bench, fault.host, now)
        case CableOut():
            cable = bench.cables[fault.link]
            return cable.pull(bench.trace, now, seen_by=fault.seen_by, towards=fault.towards)
        case CableIn():
            return bench.cables[fault.link].plug()
        case InterfaceDown() | InterfaceUp() | AddressGone():
            return _reconfigure(bench, fault)
        case Lose() | Duplicate() | Unreachable() | Impair() | Forge():
            return _meddle(bench, fault, rng, now)


def _signal(bench: Bench, process: str, number: signal.Signals) -> bool:
    """Send a signal to those whom it would change; False: there are none."""
    found = False
    for child in bench.children:
        if child.process.name != process or not child.started or child.ended:
            continue
        if number in _STOPS and child.stopped == _STOPS[number]:
            continue
        child.stopped = _STOPS.get(number, False)
        os.kill(child.pid, number)  # not waited for yet: the pid is its own
        found = True
    return found


def _meddle(
    bench: Bench, fault: Lose | Duplicate | Unreachable | Impair | Forge, rng: Rng, now: int
) -> bool:
    """Let something happen on the way; only a forger needs a segment to go on from."""
    way = bench.cables[fault.link].towards(fault.towards)
    match fault:
        case Lose() | Duplicate() | Unreachable():
            way.tamperings.append(Tampering(fault))
        case Impair():
            way.impair(fault, rng)
        case Forge():
            return way.forge(bench.trace, fault, now)
    return True


def _reconfigure(bench: Bench, fault: InterfaceDown | InterfaceUp | AddressGone) -> bool:
    """Change a host's first interface, from within its namespace."""
    machine = bench.machines.get(fault.host)
    if machine is None or not machine.tuns:
        return False
    namespaces.setns(machine.namespace)
    try:
        match fault:
            case InterfaceDown():
                return machine.set_down()
            case InterfaceUp():
                return machine.set_up()
            case AddressGone():
                return machine.remove_address(fault.address)
    finally:
        namespaces.setns(bench.nowhere)


def _power_off(bench: Bench, host: str, now: int) -> bool:
    """Cut the host off the wire first, so that nothing leaves when its processes go.

    Its namespace stays to the end of the run, unheard: to take it down would stop the wire for
    milliseconds.
    """
    if bench.machines.pop(host, None) is None:
        return False
    for way in bench.ways():
        if way.source.host == host:
            way.collect(bench.trace, now)
            way.source.tun = None
    for child in bench.children:
        if child.process.host == host and not child.ended and child.powered_off_at is None:
            child.powered_off_at = now
            os.kill(child.pid, signal.SIGKILL)
            if child.started:
                bench.ended(child, "power off", now)
    return True


def _power_on(bench: Bench, host: str, now: int) -> bool:
    """Put the host's next kernel on the wire, and start what starts at boot."""
    if host in bench.machines or host not in bench.spares:
        return False
    machine = bench.machines[host] = bench.spares.pop(host)
    for cable in bench.cables.values():
        for end in cable.ends:
            if end.host == host:
                end.give_power(machine.tuns[cable.name])
    for lan in bench.lans.values():
        for port in lan.ports:
            if port.source.host == host:
                port.source.give_power(machine.tuns[lan.name])
    for child in bench.reborn.pop(host, []):
        bench.children.append(child)
        if child.process.boots:
            bench.start(child.process, now)
    return True
