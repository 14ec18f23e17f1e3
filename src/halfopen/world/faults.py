"""What may go wrong, done to a world."""

from halfopen.base.errors import MisuseError
from halfopen.record.events import FaultFired
from halfopen.record.faults import CableIn, CableOut, Fault, Kill, PowerOff, PowerOn
from halfopen.world.host import Host
from halfopen.world.link import Direction, Link
from halfopen.world.world import World


def inject(world: World, fault: Fault, now: int) -> bool:
    """Make a fault happen, and write it to the trace.

    False: it found nothing to act on (the process had ended, the host had no power, the cable
    was out), and the world is as it was. Raises MisuseError where the fault names a host or a
    link that does not exist.
    """
    act = finds_target(world, fault)
    if world.trace is not None:
        world.trace.add(FaultFired(t_ns=now, fault=fault, effect=act))
    if act:
        _act(world, fault, now)
    return act


def finds_target(world: World, fault: Fault) -> bool:
    """Whether the fault would find something to act on now."""
    match fault:
        case Kill():
            return world.process(fault.process) is not None
        case PowerOff():
            return _host(world, fault.host).kernel is not None
        case PowerOn():
            return _host(world, fault.host).kernel is None
        case CableOut():
            return any(way.carries for way in _ways(world, fault))
        case CableIn():
            link = _link(world, fault.link)
            return not (link.ab.carries and link.ba.carries)


def _act(world: World, fault: Fault, now: int) -> None:
    match fault:
        case Kill():
            process = world.process(fault.process)
            assert process is not None, "a process vanished between two looks"
            process.kill(fault.signal, now)
        case PowerOff():
            _host(world, fault.host).power_off(now)
        case PowerOn():
            _host(world, fault.host).power_on(now)
        case CableOut():
            for way in _ways(world, fault):
                way.cut(now)
            for name in fault.seen_by:
                _carrier(_link(world, fault.link), _host(world, name), on=False)
        case CableIn():
            link = _link(world, fault.link)
            link.plug_in()
            for host in (link.a, link.b):
                _carrier(link, host, on=True)


def _ways(world: World, fault: CableOut) -> list[Direction]:
    link = _link(world, fault.link)
    if fault.towards is None:
        return [link.ab, link.ba]
    way = link.towards(fault.towards)
    if way is None:
        msg = f"cable out towards {fault.towards!r}: the link {link.name} does not lead there"
        raise MisuseError(msg)
    return [way]


def _carrier(link: Link, host: Host, *, on: bool) -> None:
    """Let a host's interface lose its carrier, or find it again."""
    way = link.leaving(host.name)
    if way is None:
        msg = f"the carrier of {link.name} at {host.name!r}: the link does not begin there"
        raise MisuseError(msg)
    way.carrier = on
    if host.kernel is not None:
        host.kernel.set_carrier(host.ways.index(way), carrier=on)


def _host(world: World, name: str) -> Host:
    host = world.hosts.get(name)
    if host is None:
        msg = f"a fault names the host {name!r}; there are: {', '.join(world.hosts)}"
        raise MisuseError(msg)
    return host


def _link(world: World, name: str) -> Link:
    link = world.links.get(name)
    if link is None:
        msg = f"a fault names the link {name!r}; there are: {', '.join(world.links) or 'none'}"
        raise MisuseError(msg)
    return link
