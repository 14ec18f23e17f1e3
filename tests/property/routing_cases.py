"""Hosts with addresses and routes, and from where Linux sends to where (see ``routing``)."""

from typing import Final

CASES: Final = {
    "the first address of the interface": """
eth0 10.0.0.1/24 10.0.1.1/24
eth1 10.1.0.1/24
route 10.9.0.0/16 eth0 metric 1
route 10.8.0.0/16 eth1 metric 1
to 10.9.0.7 -> 10.0.0.1
to 10.8.0.7 -> 10.1.0.1
to 10.0.1.7 -> 10.0.1.1
to 10.0.0.7 -> 10.0.0.1
to 8.8.8.8 -> ENETUNREACH
""",
    "the preferred one": """
eth0 10.0.0.1/24 10.0.1.1/24
eth1 10.1.0.1/24
route 10.9.0.0/16 eth0 src 10.0.1.1 metric 1
route 10.9.1.0/24 eth0 src 10.1.0.1 metric 1
to 10.9.0.7 -> 10.0.1.1
to 10.9.1.7 -> 10.1.0.1
""",
    "of two routes the one of the least metric": """
eth0 10.0.0.1/24
eth1 10.1.0.1/24
route 10.9.0.0/16 eth0 metric 300
route 10.9.0.0/16 eth1 metric 1
route 10.9.9.0/24 eth0 metric 2000
to 10.9.0.7 -> 10.1.0.1
to 10.9.9.7 -> 10.0.0.1
""",
    "a secondary address": """
eth0 10.0.0.1/24 10.0.0.9/24 10.0.0.5/32 10.0.0.6/16
to 10.0.0.9 -> 10.0.0.1
to 10.0.0.5 -> 10.0.0.5
to 10.0.0.7 -> 10.0.0.1
to 10.0.7.7 -> 10.0.0.6
to 10.0.0.1 -> 10.0.0.1
""",
    "broadcast": """
eth0 10.0.0.1/24 192.168.7.6/31 10.1.0.115/30
to 10.0.0.255 -> EACCES
to 10.0.0.0 -> 10.0.0.1
to 192.168.7.7 -> 192.168.7.6
to 10.1.0.115 -> 10.1.0.115
to 10.1.0.112 -> 10.1.0.115
to 255.255.255.255 -> ENETUNREACH
""",
    "broadcast with a default route": """
eth0 10.0.0.1/24
route 0.0.0.0/0 eth0 metric 1
to 255.255.255.255 -> EACCES
to 8.8.8.8 -> 10.0.0.1
to 10.0.0.255 -> EACCES
""",
    "an interface without an address": """
eth0 10.0.0.1/24
eth1
route 10.9.0.0/16 eth1 metric 1
to 10.9.0.7 -> 10.0.0.1
""",
    "no address at all": """
eth0
route 10.9.0.0/16 eth0 metric 1
to 10.9.0.7 -> 0.0.0.0
to 127.0.0.9 -> 127.0.0.1
""",
    "IPv6: the scope": """
eth0 2001:db8::1/64 fec0::1/64 fe80::1
route 2001:db8:9::/48 eth0 metric 1
route fec0:0:9::/48 eth0 metric 1
to 2001:db8:9::7 -> 2001:db8::1
to fec0:0:9::7 -> fec0::1
to fe80::9%eth0 -> fe80::1%2
to fe80::1%eth0 -> fe80::1%2
""",
    "IPv6: the interface": """
eth0 2001:db8::1/64
eth1 2001:db8:1::1/64
route 2001:db8:9::/48 eth1 metric 1
route 2001:db8:8::/48 eth0 metric 1
to 2001:db8:9::7 -> 2001:db8:1::1
to 2001:db8:8::7 -> 2001:db8::1
""",
    "IPv6: the label": """
eth0 2001:db8::1/64 fd00::1/64 2002:a00:1::1/64 2001:0:7::1/64 3ffe:1::1/64
route ::/0 eth0 metric 1
to 2001:db8:9::7 -> 2001:db8::1
to fd09::7 -> fd00::1
to 2002:808::1 -> 2002:a00:1::1
to 2001:0:9::1 -> 2001:0:7::1
to 3ffe:2::1 -> 3ffe:1::1
to 2001:4860::8 -> 2001:db8::1
""",
    "IPv6: ORCHID": """
eth0 2001:db8::1/64 2001:10:7::1/64
route ::/0 eth0 metric 1
to 2001:10:9::1 -> 2001:10:7::1
to 2001:db8:9::7 -> 2001:db8::1
""",
    "IPv6: the longest prefix, as far as the address's own reaches": """
eth0 2001:db8:1::1/32 2001:db8:2::1/64 2001:db8:3::1/128
route ::/0 eth0 metric 1
to 2001:db8:2::7 -> 2001:db8:2::1
to 2001:db8:3::7 -> 2001:db8:3::1
to 2001:db8:1::7 -> 2001:db8:3::1
to 2001:db9::7 -> 2001:db8:3::1
""",
    "IPv6: of equals the latest": """
eth0 2001:db8::1/64 2001:db8::2/64 2001:db8::3/64
route ::/0 eth0 metric 1
to 2001:db8::7 -> 2001:db8::3
to 2001:4860::8 -> 2001:db8::3
to 2001:db8::1 -> 2001:db8::1
""",
    "IPv6: an interface without an address": """
eth0 2001:db8::1/64
eth1
route ::/0 eth1 metric 1
to 2001:4860::8 -> 2001:db8::1
to fe80::9%eth1 -> EADDRNOTAVAIL
to fe80::9%eth0 -> ENETUNREACH
""",
    "IPv6: the loopback alone": """
eth0
route ::/0 eth0 metric 1
to 2001:4860::8 -> ::1
to ::1 -> ::1
to fe80::9%eth0 -> EADDRNOTAVAIL
""",
    "IPv6: the preferred one": """
eth0 2001:db8::1/64 fd00::1/64
eth1 2001:db8:1::1/64
route fd09::/16 eth0 src 2001:db8::1 metric 1
route 2001:db8:9::/48 eth0 src 2001:db8:1::1 metric 300
route 2001:db8:9::/48 eth1 metric 2000
to fd09::7 -> 2001:db8::1
to 2001:db8:9::7 -> 2001:db8:1::1
to fd00::7 -> fd00::1
""",
    "IPv6: the same network twice": """
eth0 2001:db8::1/64
eth1 2001:db8::2/64 fe80::1
route fe80::/64 eth0 metric 1
to 2001:db8::7 -> 2001:db8::1
to 2001:db8::2 -> 2001:db8::2
to fe80::9%eth0 -> 2001:db8::1
to fe80::9%eth1 -> fe80::1%3
to fe80:1::9%eth1 -> ENETUNREACH
""",
}
