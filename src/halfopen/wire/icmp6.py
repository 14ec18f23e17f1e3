"""ICMPv6 (RFC 4443): its kinds and codes. The messages are laid out as those of IPv4: ``icmp``."""

from typing import Final

DEST_UNREACH: Final = 1
PACKET_TOO_BIG: Final = 2
TIME_EXCEEDED: Final = 3
PARAMETER_PROBLEM: Final = 4
ECHO: Final = 128
ECHO_REPLY: Final = 129
NEIGHBOUR_SOLICITATION: Final = 135
NEIGHBOUR_ADVERTISEMENT: Final = 136

#: Kinds from here on are no errors (RFC 4443 2.1).
INFORMATIONAL: Final = 128

# Codes of DEST_UNREACH (RFC 4443 3.1) that the stack itself sends or looks for.
NO_ROUTE: Final = 0
ADDRESS_UNREACH: Final = 3
PORT_UNREACH: Final = 4

# Codes of PARAMETER_PROBLEM (RFC 4443 3.4).
BAD_HEADER: Final = 0
UNKNOWN_NEXT: Final = 1
UNKNOWN_OPTION: Final = 2
