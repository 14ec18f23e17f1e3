"""What the C library keeps of one process, and of each thread of it."""

from typing import TYPE_CHECKING, Final

from halfopen.base.errors import NotSimulatedError
from halfopen.guest import fence, tasks
from halfopen.guest.libc import resolvconf
from halfopen.guest.libc.destinations import Destination
from halfopen.guest.libc.digits import strtou32
from halfopen.guest.libc.hosts import family_of
from halfopen.sockets.names import needs_zone
from halfopen.wire.address import ANY, ANY6, LOOPBACK, LOOPBACK6, is_v6

if TYPE_CHECKING:
    from halfopen.guest.image import Image
    from halfopen.guest.libc.etc import Etc
    from halfopen.net.ip import Ip


#: To be tied to no address is to be tied to the host itself.
_ITSELF: Final = {ANY: LOOPBACK, ANY6: LOOPBACK6}


class Res:
    """A thread's resolver (struct __res_state), its errno and its h_errno."""

    def __init__(self, libc: "Libc") -> None:
        self.libc = libc
        self.errno = 0
        self.h_errno = 0
        self.rcode = 0  # of the last response that stands in the first buffer
        self.conf = resolvconf.read(libc.etc)
        self.single_request = "single-request" in self.conf.flags or (
            "single-request-reopen" in self.conf.flags
        )
        self.reopens = "single-request-reopen" in self.conf.flags


class Libc:
    """The C library, loaded into one process."""

    def __init__(self, image: "Image") -> None:
        self.image = image
        self.chance = image.rng.split("libc")
        self.rotation: int | None = None  # which server was first, of all threads together
        self._threads: dict[int, Res] = {}

    @property
    def etc(self) -> "Etc":
        """The host."""
        return self.image.etc

    def res(self) -> Res:
        """Return the state of the thread that runs, made at its first lookup."""
        ident = tasks.running().ident
        if ident not in self._threads:
            try:
                self._threads[ident] = Res(self)
            except NotSimulatedError as error:
                fence.gap(str(error))
        return self._threads[ident]

    def wrote(self) -> None:
        """Forget the thread's errno: CPython clears it before each write (_Py_write_impl)."""
        thread = tasks.running_or_none()
        res = None if thread is None else self._threads.get(thread.ident)
        if res is not None:
            res.errno = 0

    def turn(self, count: int) -> int:
        """Say which server of so many is asked first, with ``options rotate``."""
        self.rotation = self.chance.below(1 << 31) if self.rotation is None else self.rotation + 1
        return self.rotation % count

    # What the library asks the kernel.

    @property
    def _ip(self) -> "Ip":
        return self.image.fds.kernel.ip

    def interfaces(self) -> dict[str, int]:
        """The host's interfaces, by name."""
        ip = self._ip
        return {each.name: each.zone for each in (ip.routes.loopback, *ip.interfaces)}

    def families(self) -> frozenset[int]:
        """Of which families the host has an address that is not the loopback's."""
        routes = self._ip.routes
        return frozenset(
            family_of(address)
            for address, interface in routes.local.items()
            if interface is not routes.loopback
        )

    def destination(self, address: str) -> Destination:
        """Say from where an address would be spoken to; glibc ties a UDP socket to it."""
        way = self._ip.way(_ITSELF.get(address, address))
        return Destination(address=address, source=None if way is None else way.source or None)

    def zone_or_none(self, address: str, text: str) -> int | None:
        """Read the zone behind an address (glibc __inet6_scopeid_pton); None: it is none."""
        interfaces = self.interfaces()
        if needs_zone(address) and text in interfaces:
            return interfaces[text]
        known = strtou32(text) if text.isascii() and text.isdigit() else None
        return None if known is None else known[0]

    def zone(self, address: str, text: str) -> int:
        """The same, where what is none does not matter."""
        return self.zone_or_none(address, text) or 0

    def zone_name(self, address: str, zone: int) -> str:
        """Write a zone (glibc __inet6_scopeid_ntop): by name where the address needs one."""
        if is_v6(address) and needs_zone(address):
            for name, number in self.interfaces().items():
                if number == zone:
                    return name
        return str(zone)
