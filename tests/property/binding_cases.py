"""Programs of sockets that want the same ports, with what Linux tells each line of them.

Most were written by hypothesis, and some of their lines were told something else here before.
``binding`` explains the lines.
"""

from typing import Final

CASES: Final = {
    "a connection refused has no port any more": """
a tcp4 -> ok, 0.0.0.0 0
a connect 127.0.0.2 1 -> ok, 127.0.0.1 picked
a bind 10.0.0.1 2 -> ok, 10.0.0.1 2
b tcp4 -> ok, 0.0.0.0 0
b bind 127.0.0.2 =a -> ok, 127.0.0.2 2
""",
    "a bound socket keeps its port when refused": """
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 2 -> ok, 127.0.0.1 2
a connect 127.0.0.2 1 -> ok, 127.0.0.1 2
a bind 10.0.0.1 2 -> EINVAL, 127.0.0.1 2
b tcp4 -> ok, 0.0.0.0 0
b bind 127.0.0.1 2 -> EADDRINUSE, 0.0.0.0 0
""",
    "one that asked for any port loses it when the flow is taken": """
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b reuseaddr 1 -> ok, 0.0.0.0 0
b bind 127.0.0.1 2 -> ok, 127.0.0.1 2
b connect 127.0.0.1 1 -> ok, 127.0.0.1 2
c tcp4 -> ok, 0.0.0.0 0
c reuseaddr 1 -> ok, 0.0.0.0 0
c bind 127.0.0.1 2 -> ok, 127.0.0.1 2
c connect 127.0.0.1 1 -> EADDRNOTAVAIL, 127.0.0.1 2
c bind 127.0.0.1 2 -> EINVAL, 127.0.0.1 2
""",
    "SO_REUSEPORT passes unseen where the latest is like it": """
a tcp4 -> ok, 0.0.0.0 0
a reuseaddr 1 -> ok, 0.0.0.0 0
a bind 10.0.0.1 1 -> ok, 10.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b reuseaddr 1 -> ok, 0.0.0.0 0
b reuseport 1 -> ok, 0.0.0.0 0
b bind 0.0.0.0 1 -> ok, 0.0.0.0 1
c tcp4 -> ok, 0.0.0.0 0
c reuseport 1 -> ok, 0.0.0.0 0
c bind 10.0.0.1 1 -> ok, 10.0.0.1 1
d tcp4 -> ok, 0.0.0.0 0
d bind 10.0.0.2 1 -> EADDRINUSE, 0.0.0.0 0
e tcp4 -> ok, 0.0.0.0 0
e reuseaddr 1 -> ok, 0.0.0.0 0
e bind 10.0.0.2 1 -> ok, 10.0.0.2 1
f tcp4 -> ok, 0.0.0.0 0
f reuseport 1 -> ok, 0.0.0.0 0
f bind 10.0.0.2 1 -> EADDRINUSE, 0.0.0.0 0
""",
    "SO_REUSEPORT is remembered when it was cleared": """
a tcp4 -> ok, 0.0.0.0 0
a reuseport 1 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a reuseport 0 -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b reuseport 1 -> ok, 0.0.0.0 0
b bind 127.0.0.1 1 -> ok, 127.0.0.1 1
c tcp4 -> ok, 0.0.0.0 0
c reuseport 1 -> ok, 0.0.0.0 0
c bind 127.0.0.2 1 -> ok, 127.0.0.2 1
d tcp4 -> ok, 0.0.0.0 0
d reuseport 1 -> ok, 0.0.0.0 0
d bind 127.0.0.1 1 -> EADDRINUSE, 0.0.0.0 0
""",
    "SO_REUSEPORT of a dual socket stands for IPv4 too": """
a tcp6 -> ok, :: 0
a reuseport 1 -> ok, :: 0
a bind :: 1 -> ok, :: 1
b tcp4 -> ok, 0.0.0.0 0
b reuseport 1 -> ok, 0.0.0.0 0
b bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a reuseport 0 -> ok, :: 1
c tcp4 -> ok, 0.0.0.0 0
c reuseport 1 -> ok, 0.0.0.0 0
c bind 127.0.0.2 1 -> ok, 127.0.0.2 1
d tcp6 -> ok, :: 0
d reuseport 1 -> ok, :: 0
d bind ::1 1 -> ok, ::1 1
e tcp6 -> ok, :: 0
e reuseport 1 -> ok, :: 0
e bind ::ffff:10.0.0.1 1 -> ok, ::ffff:10.0.0.1 1
""",
    "what an accepted IPv6 connection keeps from IPv4": """
a tcp6 -> ok, :: 0
a bind :: 1 -> ok, :: 1
a listen -> ok, :: 1
b tcp6 -> ok, :: 0
b connect ::1 1 -> ok, ::1 picked
c accept a -> ok, ::1 1
a close -> ok
d tcp4 -> ok, 0.0.0.0 0
d bind 0.0.0.0 1 -> EADDRINUSE, 0.0.0.0 0
d bind 10.0.0.1 1 -> ok, 10.0.0.1 1
e tcp6 -> ok, :: 0
e bind ::ffff:0.0.0.0 2 -> ok, ::ffff:0.0.0.0 2
f tcp6 -> ok, :: 0
f bind ::1 1 -> EADDRINUSE, :: 0
g tcp6 -> ok, :: 0
g v6only 1 -> ok, :: 0
g bind :: 1 -> EADDRINUSE, :: 0
""",
    "all of IPv4 on an IPv6 socket, beside an IPv6 connection": """
a tcp6 -> ok, :: 0
a bind :: 1 -> ok, :: 1
a listen -> ok, :: 1
b tcp6 -> ok, :: 0
b connect ::1 1 -> ok, ::1 picked
c accept a -> ok, ::1 1
a close -> ok
d tcp6 -> ok, :: 0
d bind ::ffff:0.0.0.0 1 -> ok, ::ffff:0.0.0.0 1
e tcp6 -> ok, :: 0
e bind fd00::1 1 -> ok, fd00::1 1
""",
    "a wildcard of IPv6 alone leaves IPv4": """
a tcp6 -> ok, :: 0
a v6only 1 -> ok, :: 0
a bind :: 1 -> ok, :: 1
b tcp4 -> ok, 0.0.0.0 0
b bind 0.0.0.0 1 -> ok, 0.0.0.0 1
c tcp6 -> ok, :: 0
c bind ::ffff:127.0.0.1 1 -> EADDRINUSE, :: 0
d tcp6 -> ok, :: 0
d bind ::1 1 -> EADDRINUSE, :: 0
b close -> ok
e tcp6 -> ok, :: 0
e bind ::ffff:127.0.0.1 1 -> ok, ::ffff:127.0.0.1 1
f tcp6 -> ok, :: 0
f bind ::ffff:0.0.0.0 1 -> EADDRINUSE, :: 0
g tcp4 -> ok, 0.0.0.0 0
g bind 127.0.0.2 1 -> ok, 127.0.0.2 1
""",
    "an address of IPv6 beside all of IPv4": """
a tcp4 -> ok, 0.0.0.0 0
a bind 0.0.0.0 1 -> ok, 0.0.0.0 1
b tcp6 -> ok, :: 0
b bind ::1 1 -> ok, ::1 1
c tcp6 -> ok, :: 0
c bind :: 1 -> EADDRINUSE, :: 0
d tcp6 -> ok, :: 0
d v6only 1 -> ok, :: 0
d reuseaddr 1 -> ok, :: 0
d bind :: 1 -> EADDRINUSE, :: 0
""",
    "TIME-WAIT of a socket that is still open": """
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
c accept a -> ok, 127.0.0.1 1
b shutdown wr -> ok, 127.0.0.1 picked
c close -> ok
b bind 10.0.0.1 2 -> ok, 10.0.0.1 2
d tcp4 -> ok, 0.0.0.0 0
d bind 10.0.0.1 2 -> EADDRINUSE, 0.0.0.0 0
b close -> ok
d bind 10.0.0.1 2 -> ok, 10.0.0.1 2
""",
    "TIME-WAIT has its own SO_REUSEADDR": """
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b reuseaddr 1 -> ok, 0.0.0.0 0
b bind 127.0.0.1 2 -> ok, 127.0.0.1 2
b connect 127.0.0.1 1 -> ok, 127.0.0.1 2
c accept a -> ok, 127.0.0.1 1
b shutdown wr -> ok, 127.0.0.1 2
c close -> ok
b reuseaddr 0 -> ok, 127.0.0.1 2
d tcp4 -> ok, 0.0.0.0 0
d reuseaddr 1 -> ok, 0.0.0.0 0
d bind 127.0.0.1 2 -> EADDRINUSE, 0.0.0.0 0
b close -> ok
e tcp4 -> ok, 0.0.0.0 0
e reuseaddr 1 -> ok, 0.0.0.0 0
e bind 127.0.0.1 2 -> ok, 127.0.0.1 2
e listen -> ok, 127.0.0.1 2
f tcp4 -> ok, 0.0.0.0 0
f bind 127.0.0.1 2 -> EADDRINUSE, 0.0.0.0 0
""",
    "a listener beside its TIME-WAIT": """
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
c accept a -> ok, 127.0.0.1 1
c close -> ok
b close -> ok
a close -> ok
d tcp4 -> ok, 0.0.0.0 0
d bind 127.0.0.1 1 -> EADDRINUSE, 0.0.0.0 0
d bind 127.0.0.2 1 -> ok, 127.0.0.2 1
e tcp4 -> ok, 0.0.0.0 0
e reuseaddr 1 -> ok, 0.0.0.0 0
e bind 127.0.0.1 1 -> EADDRINUSE, 0.0.0.0 0
f tcp4 -> ok, 0.0.0.0 0
f reuseaddr 1 -> ok, 0.0.0.0 0
f bind 0.0.0.0 1 -> EADDRINUSE, 0.0.0.0 0
""",
    "and where the listener had SO_REUSEADDR": """
a tcp4 -> ok, 0.0.0.0 0
a reuseaddr 1 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
c accept a -> ok, 127.0.0.1 1
c close -> ok
b close -> ok
a close -> ok
d tcp4 -> ok, 0.0.0.0 0
d bind 127.0.0.1 1 -> EADDRINUSE, 0.0.0.0 0
e tcp4 -> ok, 0.0.0.0 0
e reuseaddr 1 -> ok, 0.0.0.0 0
e bind 127.0.0.1 1 -> ok, 127.0.0.1 1
e listen -> ok, 127.0.0.1 1
f tcp4 -> ok, 0.0.0.0 0
f reuseaddr 1 -> ok, 0.0.0.0 0
f bind 127.0.0.1 1 -> EADDRINUSE, 0.0.0.0 0
""",
    "FIN-WAIT-2 of a socket that nobody has": """
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b reuseaddr 1 -> ok, 0.0.0.0 0
b bind 127.0.0.1 2 -> ok, 127.0.0.1 2
b connect 127.0.0.1 1 -> ok, 127.0.0.1 2
c accept a -> ok, 127.0.0.1 1
b close -> ok
d tcp4 -> ok, 0.0.0.0 0
d bind 127.0.0.1 2 -> EADDRINUSE, 0.0.0.0 0
e tcp4 -> ok, 0.0.0.0 0
e reuseaddr 1 -> ok, 0.0.0.0 0
e bind 127.0.0.1 2 -> ok, 127.0.0.1 2
e listen -> ok, 127.0.0.1 2
""",
    "an accepted connection that is reset has no port": """
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
c accept a -> ok, 127.0.0.1 1
a close -> ok
d tcp4 -> ok, 0.0.0.0 0
d bind 127.0.0.1 1 -> EADDRINUSE, 0.0.0.0 0
b abort -> ok
d bind 127.0.0.1 1 -> ok, 127.0.0.1 1
""",
    "a port that connect picked is shared, once nobody else has it": """
range 1
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 2 -> ok, 127.0.0.1 2
a listen -> ok, 127.0.0.1 2
b tcp4 -> ok, 0.0.0.0 0
b connect 127.0.0.1 2 -> ok, 127.0.0.1 1
c tcp4 -> ok, 0.0.0.0 0
c reuseaddr 1 -> ok, 0.0.0.0 0
c reuseport 1 -> ok, 0.0.0.0 0
c bind 10.0.0.1 1 -> ok, 10.0.0.1 1
d tcp4 -> ok, 0.0.0.0 0
d connect 127.0.0.1 2 -> EADDRNOTAVAIL, 0.0.0.0 0
c close -> ok
e tcp4 -> ok, 0.0.0.0 0
e bind 127.0.0.2 2 -> ok, 127.0.0.2 2
e listen -> ok, 127.0.0.2 2
f tcp4 -> ok, 0.0.0.0 0
f connect 127.0.0.2 2 -> ok, 127.0.0.1 1
""",
    "a port is picked beside nobody": """
range 1
a tcp4 -> ok, 0.0.0.0 0
a reuseaddr 1 -> ok, 0.0.0.0 0
a reuseport 1 -> ok, 0.0.0.0 0
a bind 127.0.0.1 0 -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b reuseaddr 1 -> ok, 0.0.0.0 0
b reuseport 1 -> ok, 0.0.0.0 0
b bind 127.0.0.1 0 -> EADDRINUSE, 0.0.0.0 0
b bind 127.0.0.2 0 -> ok, 127.0.0.2 1
c tcp4 -> ok, 0.0.0.0 0
c reuseport 1 -> ok, 0.0.0.0 0
c listen -> EADDRINUSE, 0.0.0.0 0
d tcp4 -> ok, 0.0.0.0 0
d connect 127.0.0.1 1 -> EADDRNOTAVAIL, 0.0.0.0 0
""",
    "a listener and SO_REUSEADDR": """
a tcp4 -> ok, 0.0.0.0 0
a reuseaddr 1 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b reuseaddr 1 -> ok, 0.0.0.0 0
b bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
b listen -> EADDRINUSE, 127.0.0.1 1
c tcp4 -> ok, 0.0.0.0 0
c reuseaddr 1 -> ok, 0.0.0.0 0
c bind 127.0.0.1 1 -> EADDRINUSE, 0.0.0.0 0
a shutdown rd -> ok, 127.0.0.1 1
b listen -> ok, 127.0.0.1 1
a listen -> EADDRINUSE, 127.0.0.1 1
""",
    "datagrams: the latest with the port decides": """
a udp4 -> ok, 0.0.0.0 0
a reuseaddr 1 -> ok, 0.0.0.0 0
a bind 0.0.0.0 1 -> ok, 0.0.0.0 1
b udp4 -> ok, 0.0.0.0 0
b reuseaddr 1 -> ok, 0.0.0.0 0
b reuseport 1 -> ok, 0.0.0.0 0
b bind 0.0.0.0 1 -> ok, 0.0.0.0 1
c udp4 -> ok, 0.0.0.0 0
c reuseport 1 -> ok, 0.0.0.0 0
c bind 0.0.0.0 1 -> ok, 0.0.0.0 1
d udp4 -> ok, 0.0.0.0 0
d reuseaddr 1 -> ok, 0.0.0.0 0
d bind 10.0.0.1 1 -> EADDRINUSE, 0.0.0.0 0
b close -> ok
e udp4 -> ok, 0.0.0.0 0
e reuseaddr 1 -> ok, 0.0.0.0 0
e bind 0.0.0.0 1 -> EADDRINUSE, 0.0.0.0 0
""",
    "datagrams: a port is picked beside those that share": """
range 1
a udp4 -> ok, 0.0.0.0 0
a reuseport 1 -> ok, 0.0.0.0 0
a bind 0.0.0.0 0 -> ok, 0.0.0.0 1
b udp4 -> ok, 0.0.0.0 0
b reuseport 1 -> ok, 0.0.0.0 0
b bind 0.0.0.0 0 -> ok, 0.0.0.0 1
c udp4 -> ok, 0.0.0.0 0
c bind 127.0.0.1 0 -> EADDRINUSE, 0.0.0.0 0
c connect 127.0.0.1 1 -> EAGAIN, 0.0.0.0 0
d udp6 -> ok, :: 0
d v6only 1 -> ok, :: 0
d bind :: 0 -> ok, :: 1
""",
    "datagrams: IPv6 stands for 127.0.0.6": """
a udp6 -> ok, :: 0
a bind :: 1 -> ok, :: 1
a connect ::1 2 -> ok, ::1 1
b udp4 -> ok, 0.0.0.0 0
b bind 127.0.0.6 1 -> EADDRINUSE, 0.0.0.0 0
b bind 127.0.0.1 1 -> ok, 127.0.0.1 1
c udp4 -> ok, 0.0.0.0 0
c bind 0.0.0.0 1 -> EADDRINUSE, 0.0.0.0 0
d udp6 -> ok, :: 0
d bind fd00::1 1 -> ok, fd00::1 1
""",
    "tied to an interface, and the answers come by another": """
a tcp6 -> ok, :: 0
a listen -> ok, :: picked
b tcp6 -> ok, :: 0
b bind ::1 1 -> ok, ::1 1
b connect fe80::1%eth0 =a -> ok, ::1 1
c accept a -> EAGAIN
b shutdown wr -> ok, ::1 1
d tcp6 -> ok, :: 0
d bind ::1 2 -> ok, ::1 2
d connect fe80::1%eth0 1 -> ok, ::1 2
d shutdown rdwr -> ok, ::1 2
""",
    "a listener that is tied to an interface": """
a tcp6 -> ok, :: 0
a bind fe80::2%eth0 1 -> EADDRNOTAVAIL, :: 0
a listen -> ok, :: picked
b tcp6 -> ok, :: 0
b connect fd01::1 =a -> ok, fd01::1 picked
c tcp6 -> ok, :: 0
c connect fd00::1 =a -> ok, fd00::1 picked
d accept a -> ok, fd00::1 picked
e accept a -> EAGAIN
f tcp4 -> ok, 0.0.0.0 0
f connect 10.0.0.1 =a -> ok, 10.0.0.1 picked
g accept a -> ok, ::ffff:10.0.0.1 picked
h tcp4 -> ok, 0.0.0.0 0
h connect 127.0.0.1 =a -> ok, 127.0.0.1 picked
""",
    "a listener at all addresses behind one that is tied": """
a tcp6 -> ok, :: 0
a bind fe80::2%eth0 1 -> EADDRNOTAVAIL, :: 0
a reuseport 1 -> ok, :: 0
a bind :: 1 -> ok, :: 1
a listen -> ok, :: 1
b tcp6 -> ok, :: 0
b reuseport 1 -> ok, :: 0
b bind :: 1 -> ok, :: 1
b listen -> ok, :: 1
c tcp6 -> ok, :: 0
c connect fd00::1 1 -> ok, fd00::1 picked
d accept a -> ok, fd00::1 1
e tcp6 -> ok, :: 0
e connect fd01::1 1 -> ok, fd01::1 picked
f accept a -> EAGAIN
g accept b -> ok, fd01::1 1
""",
    "what an interface leaves of the addresses": """
a tcp6 -> ok, :: 0
a bind fe80::2%eth0 1 -> EADDRNOTAVAIL, :: 0
a bind ::1 1 -> EADDRNOTAVAIL, :: 0
a bind fd01::1 1 -> ok, fd01::1 1
b tcp6 -> ok, :: 0
b bind fe80::2%eth0 1 -> EADDRNOTAVAIL, :: 0
b bind ::ffff:127.0.0.2 1 -> ok, ::ffff:127.0.0.2 1
c tcp6 -> ok, :: 0
c bind fe80::2%eth0 1 -> EADDRNOTAVAIL, :: 0
c connect fd01::1 1 -> ENETUNREACH, :: 0
c connect fe80::1%eth1 1 -> EINVAL, :: 0
c connect fd00::1 1 -> ok, fd00::1 picked
d tcp6 -> ok, :: 0
d bind fe80::2%eth0 1 -> EADDRNOTAVAIL, :: 0
d bind fe80::1%eth1 1 -> ok, fe80::1%3 1
""",
    "IPv4 by an interface": """
a tcp6 -> ok, :: 0
a bind fe80::2%eth0 1 -> EADDRNOTAVAIL, :: 0
a connect ::ffff:127.0.0.2 1 -> ok, ::ffff:10.0.0.1 picked
a bind ::1 1 -> EINVAL, ::ffff:10.0.0.1 picked
b tcp6 -> ok, :: 0
b bind fe80::2%eth0 1 -> EADDRNOTAVAIL, :: 0
b connect ::ffff:10.1.0.1 1 -> ok, ::ffff:10.0.0.1 picked
c tcp6 -> ok, :: 0
c bind fe80::2%eth0 1 -> EADDRNOTAVAIL, :: 0
c connect ::ffff:10.0.0.2 1 -> ok, ::ffff:10.0.0.2 picked
d tcp6 -> ok, :: 0
d bind fe80::2%eth0 1 -> EADDRNOTAVAIL, :: 0
d connect ::ffff:10.0.0.9 1 -> ok, ::ffff:10.0.0.1 picked
""",
    "the same link-local address on two links": """
a tcp6 -> ok, :: 0
a bind fe80::1%eth0 1 -> ok, fe80::1%2 1
b tcp6 -> ok, :: 0
b bind fe80::1%eth1 1 -> ok, fe80::1%3 1
c tcp6 -> ok, :: 0
c bind fe80::1%eth0 1 -> EADDRINUSE, :: 0
c bind fe80::1%eth1 2 -> ok, fe80::1%3 2
d udp6 -> ok, :: 0
d bind fe80::1%eth0 1 -> ok, fe80::1%2 1
e udp6 -> ok, :: 0
e bind fe80::1%eth1 1 -> ok, fe80::1%3 1
f udp6 -> ok, :: 0
f bind :: 1 -> EADDRINUSE, :: 0
""",
    "TIME-WAIT of a socket that is used again": """
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b bind 127.0.0.1 2 -> ok, 127.0.0.1 2
b connect 127.0.0.1 1 -> ok, 127.0.0.1 2
c accept a -> ok, 127.0.0.1 1
b shutdown wr -> ok, 127.0.0.1 2
c close -> ok
b dissolve -> ok, 127.0.0.1 2
b connect 127.0.0.1 1 -> ok, 127.0.0.1 2
b connect 127.0.0.2 1 -> ok, 127.0.0.1 2
b close -> ok
d tcp4 -> ok, 0.0.0.0 0
d bind 127.0.0.1 2 -> EADDRINUSE, 0.0.0.0 0
e tcp4 -> ok, 0.0.0.0 0
e connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
f accept a -> ok, 127.0.0.1 1
e shutdown wr -> ok, 127.0.0.1 picked
f close -> ok
e dissolve -> ok, 0.0.0.0 picked
e connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
""",
    "a listener that is dissolved": """
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
a dissolve -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b bind 127.0.0.1 1 -> EADDRINUSE, 0.0.0.0 0
a listen -> ok, 127.0.0.1 1
c tcp4 -> ok, 0.0.0.0 0
c listen -> ok, 0.0.0.0 picked
d tcp4 -> ok, 0.0.0.0 0
d connect 127.0.0.1 =c -> ok, 127.0.0.1 picked
e accept c -> ok, 127.0.0.1 picked
c dissolve -> ok, 0.0.0.0 picked
f tcp4 -> ok, 0.0.0.0 0
f bind 127.0.0.1 =e -> EADDRINUSE, 0.0.0.0 0
""",
    "a connection that is dissolved": """
a tcp4 -> ok, 0.0.0.0 0
a bind 127.0.0.1 1 -> ok, 127.0.0.1 1
a listen -> ok, 127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b bind 127.0.0.1 2 -> ok, 127.0.0.1 2
b connect 127.0.0.1 1 -> ok, 127.0.0.1 2
c accept a -> ok, 127.0.0.1 1
b dissolve -> ok, 127.0.0.1 2
b connect 127.0.0.1 1 -> ok, 127.0.0.1 2
c close -> ok
d accept a -> ok, 127.0.0.1 1
d dissolve -> ok, 127.0.0.1 1
d bind 127.0.0.1 1 -> EADDRINUSE, 0.0.0.0 1
d bind 127.0.0.2 1 -> ok, 127.0.0.2 1
""",
    "a socket at a group": """
a udp6 -> ok, :: 0
a bind ff02::1%eth0 1 -> ok, ff02::1%2 1
b udp4 -> ok, 0.0.0.0 0
b bind 255.255.255.255 1 -> ok, 255.255.255.255 1
b connect 0.0.0.0 1 -> ok, 255.255.255.255 1
c tcp4 -> ok, 0.0.0.0 0
c bind 224.0.0.1 1 -> ok, 224.0.0.1 1
c connect 0.0.0.0 2 -> ok, 127.0.0.1 1
d tcp6 -> ok, :: 0
d bind ff02::1%eth0 1 -> EINVAL, :: 0
""",
    "tied to the loopback, to the address of another interface": """
a tcp4 -> ok, 0.0.0.0 0
a device lo -> ok, 0.0.0.0 0
a bind 0.0.0.0 1 -> ok, 0.0.0.0 1
a listen -> ok, 0.0.0.0 1
b tcp4 -> ok, 0.0.0.0 0
b device lo -> ok, 0.0.0.0 0
b connect 10.0.0.1 1 -> ok, 10.0.0.1 picked
c accept a -> ok, 10.0.0.1 1
d tcp4 -> ok, 0.0.0.0 0
d device lo -> ok, 0.0.0.0 0
d connect 10.1.0.1 1 -> ok, 10.0.0.1 picked
e accept a -> ok, 10.1.0.1 1
f tcp4 -> ok, 0.0.0.0 0
f connect 10.1.0.1 1 -> ok, 10.1.0.1 picked
g accept a -> EAGAIN
h tcp4 -> ok, 0.0.0.0 0
h device lo -> ok, 0.0.0.0 0
h connect 10.0.0.9 1 -> ok, 10.0.0.1 picked
i accept a -> EAGAIN
""",
    "tied to the loopback, and the answer comes by the interface of the address": """
a tcp6 -> ok, :: 0
a bind :: 1 -> ok, :: 1
a listen -> ok, :: 1
b tcp4 -> ok, 0.0.0.0 0
b device lo -> ok, 0.0.0.0 0
b connect 10.0.0.1 1 -> ok, 10.0.0.1 picked
c accept a -> EAGAIN
d tcp6 -> ok, :: 0
d device lo -> ok, :: 0
d connect ::ffff:10.1.0.1 1 -> ok, ::ffff:10.0.0.1 picked
e accept a -> EAGAIN
d connect ::ffff:10.1.0.1 1 -> EAGAIN, ::ffff:10.0.0.1 picked
f tcp4 -> ok, 0.0.0.0 0
f device lo -> ok, 0.0.0.0 0
f bind 127.0.0.1 2 -> ok, 127.0.0.1 2
f connect 10.1.0.1 1 -> ok, 127.0.0.1 2
g accept a -> ok, ::ffff:10.1.0.1 1
""",
    "IPv6 after IPv4 that was dissolved": """
a tcp6 -> ok, :: 0
a bind :: 2 -> ok, :: 2
a listen -> ok, :: 2
b tcp6 -> ok, :: 0
b connect ::ffff:127.0.0.1 2 -> ok, ::ffff:127.0.0.1 picked
c accept a -> ok, ::ffff:127.0.0.1 2
b dissolve -> ok, :: picked
b connect ::1 2 -> ok, ::1 picked
d accept a -> EAGAIN
b connect ::1 2 -> EAGAIN, ::1 picked
b dissolve -> ok, :: picked
b connect ::ffff:10.0.0.1 2 -> ok, ::ffff:10.0.0.1 picked
d accept a -> ok, ::ffff:10.0.0.1 2
c dissolve -> ok, :: 2
c connect fd00::1 2 -> ok, fd00::1 picked
e accept a -> EAGAIN
e dissolve -> no socket
c close -> ok
b close -> ok
f tcp6 -> ok, :: 0
f bind ::1 1 -> ok, ::1 1
f connect ::1 2 -> ok, ::1 1
g accept a -> ok, ::1 2
""",
    "IPv6 after IPv4 that was dissolved and that failed": """
range 1
a tcp6 -> ok, :: 0
a bind :: 2 -> ok, :: 2
a listen -> ok, :: 2
b tcp6 -> ok, :: 0
b connect ::ffff:127.0.0.1 2 -> ok, ::ffff:127.0.0.1 1
c accept a -> ok, ::ffff:127.0.0.1 2
b dissolve -> ok, :: 1
b connect ::ffff:10.9.9.9 2 -> ENETUNREACH, :: 1
b connect ::1 2 -> ok, ::1 1
d accept a -> ok, ::1 2
""",
    "IPv6 to a listener that has had a connection of IPv4": """
a tcp6 -> ok, :: 0
a bind :: 2 -> ok, :: 2
a listen -> ok, :: 2
b tcp6 -> ok, :: 0
b connect ::ffff:127.0.0.1 2 -> ok, ::ffff:127.0.0.1 picked
c accept a -> ok, ::ffff:127.0.0.1 2
b dissolve -> ok, :: picked
b bind :: 1 -> ok, :: 1
b listen -> ok, :: 1
d tcp6 -> ok, :: 0
d connect ::1 1 -> ok, ::1 picked
e accept b -> ok, ::1 1
d shutdown wr -> ok, ::1 picked
e shutdown wr -> ok, ::1 1
d close -> ok
e close -> ok
b close -> ok
f tcp6 -> ok, :: 0
f bind ::1 1 -> EADDRINUSE, :: 0
f reuseaddr 1 -> ok, :: 0
f bind ::1 1 -> EADDRINUSE, :: 0
g tcp6 -> ok, :: 0
g bind ::ffff:127.0.0.1 1 -> ok, ::ffff:127.0.0.1 1
""",
    "of listeners with SO_REUSEPORT the latest takes a connection, tied or not": """
a tcp4 -> ok, 0.0.0.0 0
a reuseport 1 -> ok, 0.0.0.0 0
a device lo -> ok, 0.0.0.0 0
a bind 0.0.0.0 1 -> ok, 0.0.0.0 1
a listen -> ok, 0.0.0.0 1
b tcp4 -> ok, 0.0.0.0 0
b reuseport 1 -> ok, 0.0.0.0 0
b bind 0.0.0.0 1 -> ok, 0.0.0.0 1
b listen -> ok, 0.0.0.0 1
c tcp4 -> ok, 0.0.0.0 0
c connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
d accept a -> EAGAIN
e accept b -> ok, 127.0.0.1 1
a close -> ok
f tcp4 -> ok, 0.0.0.0 0
f reuseport 1 -> ok, 0.0.0.0 0
f device lo -> ok, 0.0.0.0 0
f bind 0.0.0.0 1 -> ok, 0.0.0.0 1
f listen -> ok, 0.0.0.0 1
g tcp4 -> ok, 0.0.0.0 0
g connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
h accept f -> ok, 127.0.0.1 1
i tcp4 -> ok, 0.0.0.0 0
i connect 10.0.0.1 1 -> ok, 10.0.0.1 picked
j accept b -> ok, 10.0.0.1 1
""",
    "and those of IPv6 come last, the first of them first": """
a tcp6 -> ok, :: 0
a reuseport 1 -> ok, :: 0
a bind :: 1 -> ok, :: 1
a listen -> ok, :: 1
b tcp6 -> ok, :: 0
b reuseport 1 -> ok, :: 0
b device lo -> ok, :: 0
b bind :: 1 -> ok, :: 1
b listen -> ok, :: 1
c tcp4 -> ok, 0.0.0.0 0
c connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
d accept a -> ok, ::ffff:127.0.0.1 1
e accept b -> EAGAIN
f tcp4 -> ok, 0.0.0.0 0
f reuseport 1 -> ok, 0.0.0.0 0
f bind 0.0.0.0 1 -> ok, 0.0.0.0 1
f listen -> ok, 0.0.0.0 1
g tcp4 -> ok, 0.0.0.0 0
g connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
h accept f -> ok, 127.0.0.1 1
""",
    "an address that bind locked once stays when connect fails": """
range 1
a tcp4 -> ok, 0.0.0.0 0
a bind 10.1.0.1 1 -> ok, 10.1.0.1 1
a listen -> ok, 10.1.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b bind 127.0.0.1 2 -> ok, 127.0.0.1 2
b connect 10.1.0.1 1 -> ok, 127.0.0.1 2
c accept a -> ok, 10.1.0.1 1
b abort -> ok
c dissolve -> ok, 10.1.0.1 1
c bind 10.1.0.1 1 -> EADDRINUSE, 0.0.0.0 1
c connect 0.0.0.0 1 -> EADDRNOTAVAIL, 127.0.0.1 1
c connect 10.0.0.1 1 -> EADDRNOTAVAIL, 127.0.0.1 1
""",
    "bind at all addresses leaves the lock of an address": """
a tcp6 -> ok, :: 0
a bind ::1 1 -> ok, ::1 1
a listen -> ok, ::1 1
b tcp6 -> ok, :: 0
b connect ::1 1 -> ok, ::1 picked
c accept a -> ok, ::1 1
c dissolve -> ok, ::1 1
c bind :: 2 -> ok, :: 2
c connect fd00::1 2 -> ok, fd00::1 2
c dissolve -> ok, fd00::1 2
c connect fd01::1 1 -> ok, fd00::1 2
c connect fd01::1 1 -> ECONNREFUSED, fd00::1 2
d udp4 -> ok, 0.0.0.0 0
d bind 127.0.0.1 1 -> ok, 127.0.0.1 1
d dissolve -> ok, 127.0.0.1 1
d connect 10.0.0.1 2 -> ok, 127.0.0.1 1
d dissolve -> ok, 127.0.0.1 1
""",
    "a refused connection that was bound again is dissolved": """
a tcp6 -> ok, :: 0
a connect fd00::1 1 -> ok, fd00::1 picked
a bind :: 0 -> ok, :: picked
a dissolve -> ok, :: picked
a bind :: 1 -> EINVAL, :: picked
a dissolve -> ok, :: picked
a listen -> ok, :: picked
""",
    "the same link-local address, tied and not": """
a udp6 -> ok, :: 0
a bind fe80::1%eth1 1 -> ok, fe80::1%3 1
a dissolve -> ok, fe80::1 1
b udp6 -> ok, :: 0
b bind fe80::1%eth0 1 -> EADDRINUSE, :: 0
c udp6 -> ok, :: 0
c bind fe80::1%eth1 1 -> EADDRINUSE, :: 0
d tcp6 -> ok, :: 0
d bind fe80::1%eth0 1 -> ok, fe80::1%2 1
d device lo -> ok, fe80::1%1 1
e tcp6 -> ok, :: 0
e bind fe80::1%eth0 1 -> ok, fe80::1%2 1
e listen -> ok, fe80::1%2 1
f tcp6 -> ok, :: 0
f device lo -> ok, :: 0
f bind fe80::1%eth1 1 -> ok, fe80::1%3 1
""",
    "nobody answers ::1 but on the loopback": """
a tcp6 -> ok, :: 0
a bind ::1 0 -> ok, ::1 picked
a connect fd01::1 1 -> ok, ::1 picked
a connect fd01::1 1 -> EAGAIN, ::1 picked
b tcp6 -> ok, :: 0
b bind ::1 0 -> ok, ::1 picked
b connect ::1 1 -> ok, ::1 picked
b connect ::1 1 -> ECONNREFUSED, ::1 picked
c tcp6 -> ok, :: 0
c bind :: 2 -> ok, :: 2
c listen -> ok, :: 2
d tcp6 -> ok, :: 0
d bind ::1 0 -> ok, ::1 picked
d connect fd01::1 2 -> ok, ::1 picked
e accept c -> ok, fd01::1 2
e shutdown wr -> ok, fd01::1 2
d close -> ok
e close -> ok
f tcp6 -> ok, :: 0
f bind fd00::1 0 -> ok, fd00::1 picked
f connect ::1 1 -> ok, fd00::1 picked
f connect ::1 1 -> ECONNREFUSED, fd00::1 picked
""",
    "datagrams: bind that fails takes the address away": """
a udp4 -> ok, 0.0.0.0 0
a bind 10.1.0.1 1 -> ok, 10.1.0.1 1
c udp4 -> ok, 0.0.0.0 0
c bind 10.1.0.1 0 -> ok, 10.1.0.1 picked
c dissolve -> ok, 10.1.0.1 0
c bind 10.0.0.1 0 -> ok, 10.0.0.1 picked
c dissolve -> ok, 10.0.0.1 0
c bind 10.1.0.1 1 -> EADDRINUSE, 0.0.0.0 0
c connect 10.0.0.1 1 -> ok, 10.0.0.1 picked
d udp6 -> ok, :: 0
d bind fd00::1 0 -> ok, fd00::1 picked
d dissolve -> ok, fd00::1 0
e udp6 -> ok, :: 0
e bind :: 1 -> EADDRINUSE, :: 0
e bind fd01::1 2 -> ok, fd01::1 2
f udp6 -> ok, :: 0
f bind fd01::1 2 -> EADDRINUSE, :: 0
d bind fd01::1 2 -> EADDRINUSE, :: 0
""",
    "a link-local address goes with the interface that its socket is tied to": """
a tcp6 -> ok, :: 0
a bind fe80::1%eth0 1 -> ok, fe80::1%2 1
a device eth1 -> ok, fe80::1%3 1
a listen -> ok, fe80::1%3 1
b tcp6 -> ok, :: 0
b connect fe80::1%eth0 1 -> ok, fe80::1%2 picked
b connect fe80::1%eth0 1 -> ECONNREFUSED, :: picked
c accept a -> EAGAIN
d tcp6 -> ok, :: 0
d connect fe80::1%eth1 1 -> ok, fe80::1%3 picked
e accept a -> ok, fe80::1%3 1
a device eth0 -> ok, fe80::1%2 1
f tcp6 -> ok, :: 0
f connect fe80::1%eth0 1 -> ok, fe80::1%2 picked
g accept a -> ok, fe80::1%2 1
h tcp6 -> ok, :: 0
h bind fe80::1%eth0 2 -> ok, fe80::1%2 2
h connect fe80::1%eth0 2 -> ok, fe80::1%2 2
h dissolve -> ok, fe80::1%2 2
h device eth1 -> ok, fe80::1%3 2
h connect fe80::1%eth1 1 -> ok, fe80::1%3 2
h connect ::1 2 -> ECONNREFUSED, fe80::1%3 2
""",
    "IPv4 from a socket that has an address of IPv6 from an earlier connect": """
a tcp6 -> ok, :: 0
a bind ::ffff:127.0.0.1 1 -> ok, ::ffff:127.0.0.1 1
a listen -> ok, ::ffff:127.0.0.1 1
b tcp4 -> ok, 0.0.0.0 0
b connect 127.0.0.1 1 -> ok, 127.0.0.1 picked
c accept a -> ok, ::ffff:127.0.0.1 1
b close -> ok
c dissolve -> ok, ::ffff:127.0.0.1 1
c bind :: 1 -> EADDRINUSE, :: 1
c connect fd00::1 1 -> ok, fd00::1 picked
c dissolve -> ok, fd00::1 picked
c connect fd00::1 1 -> ok, fd00::1 picked
c dissolve -> ok, fd00::1 picked
c connect ::ffff:0.0.0.0 1 -> ok, ::ffff:127.0.0.1 picked
c dissolve -> ok, ::ffff:127.0.0.1 picked
d udp6 -> ok, :: 0
d connect fd00::1 1 -> ok, fd00::1 picked
d connect ::ffff:127.0.0.1 1 -> ok, fd00::1 picked
d connect ::ffff:0.0.0.0 1 -> ok, fd00::1 picked
""",
    "IPv6 from what a tied listener took that has had a connection of IPv4": """
a tcp6 -> ok, :: 0
b tcp6 -> ok, :: 0
a connect ::ffff:127.0.0.2 1 -> ok, ::ffff:127.0.0.1 picked
a dissolve -> ok, :: picked
a bind fe80::1%eth1 1 -> ok, fe80::1%3 1
a listen -> ok, fe80::1%3 1
b connect fe80::1%eth1 1 -> ok, fe80::1%3 picked
c accept a -> ok, fe80::1%3 1
c dissolve -> ok, fe80::1%3 1
c connect fd01::1 2 -> EHOSTUNREACH, fe80::1%3 picked
d tcp6 -> ok, :: 0
d connect ::ffff:127.0.0.2 2 -> ok, ::ffff:127.0.0.1 picked
d dissolve -> ok, :: picked
d bind fe80::1%eth1 2 -> ok, fe80::1%3 2
d connect fd01::1 1 -> ok, fe80::1%3 2
e tcp6 -> ok, :: 0
e connect ::ffff:10.0.0.1 2 -> ok, ::ffff:10.0.0.1 picked
e dissolve -> ok, :: picked
e connect fe80::1%eth1 1 -> ok, fe80::1%3 picked
""",
}
