"""What takes a packet, and who on the way makes one, in the words that both arms write."""

from typing import Final

#: Why a packet goes no further (``PacketLost.why``).
CABLE_OUT: Final = "cable out"
HOST_OFF: Final = "host off"
LOST: Final = "lost on the way"
QUEUE_FULL: Final = "queue full"
DAMAGED: Final = "damaged: a checksum is wrong"
#: Who made a packet that no host sent (``PacketSent.by``).
ROUTER: Final = "router"
FORGER: Final = "forger"
DOUBLED: Final = "doubled"
