"""The options of IPPROTO_UDP (Linux udp_lib_setsockopt): none of them is simulated."""

from errno import ENOPROTOOPT
from typing import Final, NoReturn

from halfopen.sockets.errors import fail
from halfopen.sockets.kept import named, refuse_gap, to_number

#: What Linux 6.18 has.
NOT_SIMULATED: Final = named(
    "UDP_",
    "CORK 1 ENCAP 100 NO_CHECK6_TX 101 NO_CHECK6_RX 102 SEGMENT 103 GRO 104",
)


def set_udp(name: int, value: bytes) -> NoReturn:
    """Set no option of IPPROTO_UDP. Raises OSError: EINVAL, ENOPROTOOPT."""
    refuse_gap(NOT_SIMULATED, name)
    to_number(value)
    raise fail(ENOPROTOOPT)


def get_udp(name: int) -> NoReturn:
    """Return no option of IPPROTO_UDP. Raises OSError ENOPROTOOPT."""
    refuse_gap(NOT_SIMULATED, name)
    raise fail(ENOPROTOOPT)
