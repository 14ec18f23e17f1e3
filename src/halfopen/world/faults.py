"""What may go wrong, done to a world."""

from halfopen.base.errors import MisuseError
from halfopen.record.events import FaultFired
from halfopen.record.fates import FORGER
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
from halfopen.wire.impairment import Impairment
from halfopen.wire.ip import Packet
from halfopen.wire.onpath import forged
from halfopen.wire.tampering import Tampering
from halfopen.world.host import Host
from halfopen.world.link import Direction, Link
from halfopen.world.process import RUNNING, STOPPED
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
        case Kill() | Stop() | Continue():
            process = world.process(fault.process)
            if process is None or isinstance(fault, Kill):
                return process is not None
            return process.state == (RUNNING if isinstance(fault, Stop) else STOPPED)
        case PowerOff():
            return _host(world, fault.host).kernel is not None
        case PowerOn():
            return _host(world, fault.host).kernel is None
        case CableOut():
            return any(way.carries for way in _ways(world, fault))
        case CableIn():
            link = _link(world, fault.link)
            return not (link.ab.carries and link.ba.carries)
        case InterfaceDown() | InterfaceUp() | AddressGone():
            return _touches_interface(world, fault)
        case Lose() | Duplicate() | Unreachable() | Forge() | Impair():
            way = _way(world, fault.link, fault.towards)
            return not isinstance(fault, Forge) or _forgery(way, fault) is not None


def _act(world: World, fault: Fault, now: int) -> None:
    match fault:
        case Kill() | Stop() | Continue():
            _signal(world, fault, now)
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
        case InterfaceDown() | InterfaceUp() | AddressGone():
            _act_on_interface(world, fault, now)
        case Lose() | Duplicate() | Unreachable():
            _way(world, fault.link, fault.towards).tamperings.append(Tampering(fault))
        case Impair():
            way = _way(world, fault.link, fault.towards)
            way.impairment = Impairment(fault, world.rng.split("way", fault.link, fault.towards))
        case Forge():
            way = _way(world, fault.link, fault.towards)
            packet = _forgery(way, fault)
            assert packet is not None, "a segment to go on from vanished between two looks"
            way.inject(packet, now, by=FORGER)


def _signal(world: World, fault: Kill | Stop | Continue, now: int) -> None:
    process = world.process(fault.process)
    assert process is not None, "a process vanished between two looks"
    match fault:
        case Kill():
            process.kill(fault.signal, now)
        case Stop():
            process.stop()
        case Continue():
            process.go_on()


def _touches_interface(world: World, fault: InterfaceDown | InterfaceUp | AddressGone) -> bool:
    """Whether the host has power, and an interface or address in the state that the fault ends."""
    kernel = _host(world, fault.host).kernel
    if kernel is None or not kernel.ip.interfaces:
        return False
    match fault:
        case InterfaceDown():
            return kernel.ip.interfaces[0].up
        case InterfaceUp():
            return not kernel.ip.interfaces[0].up
        case AddressGone():
            return fault.address in kernel.ip.routes.local


def _act_on_interface(
    world: World, fault: InterfaceDown | InterfaceUp | AddressGone, now: int
) -> None:
    host = _host(world, fault.host)
    kernel = host.kernel
    assert kernel is not None, "a host lost its power between two looks"
    if isinstance(fault, AddressGone):
        kernel.remove_address(fault.address, now)
    else:
        kernel.set_up(0, up=isinstance(fault, InterfaceUp), now=now)
    host.flush(now)


def _way(world: World, name: str, towards: str) -> Direction:
    """Find one way of a link. Raises MisuseError where it does not lead there."""
    link = _link(world, name)
    way = link.towards(towards)
    if way is None:
        msg = f"a fault towards {towards!r}: the link {link.name} does not lead there"
        raise MisuseError(msg)
    return way


def _forgery(way: Direction, fault: Forge) -> Packet | None:
    """Make the forged packet; None where nothing has gone this way that it could go on from."""
    if way.last is None:
        return None
    try:
        return forged(
            way.last, fault.flags, seq=fault.seq, ack=fault.ack, text=fault.text.encode("ascii")
        )
    except KeyError as error:
        msg = f"a forged segment with the flag {error}; TCP has FIN, SYN, RST, PSH, ACK, URG"
        raise MisuseError(msg) from error


def _ways(world: World, fault: CableOut) -> list[Direction]:
    if fault.towards is not None:
        return [_way(world, fault.link, fault.towards)]
    link = _link(world, fault.link)
    return [link.ab, link.ba]


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
