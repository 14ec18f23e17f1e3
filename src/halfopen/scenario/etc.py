"""What stands below /etc on every host, of the world and of the kernel arm, unless it says other.

As on a fresh Debian: ``files dns``; every host of the scenario is in /etc/hosts, and no name server
is named, so that one is looked for on the host itself.
"""

from collections.abc import Mapping
from typing import Final

HOSTNAME: Final = "/etc/hostname"
HOSTS: Final = "/etc/hosts"
RESOLV_CONF: Final = "/etc/resolv.conf"
NSSWITCH: Final = "/etc/nsswitch.conf"
HOST_CONF: Final = "/etc/host.conf"
SERVICES: Final = "/etc/services"
PROTOCOLS: Final = "/etc/protocols"

_NSSWITCH: Final = """\
passwd: files
group: files
hosts: files dns
networks: files
protocols: files
services: files
"""

_LOCALHOST: Final = """\
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
"""

#: Names and numbers that IANA assigns; a part.
_SERVICES: Final = """\
# Network services, Internet style
echo 7/tcp
echo 7/udp
discard 9/tcp sink null
discard 9/udp sink null
daytime 13/tcp
daytime 13/udp
ftp-data 20/tcp
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp mail
time 37/tcp timserver
time 37/udp timserver
domain 53/tcp
domain 53/udp
tftp 69/udp
http 80/tcp www
kerberos 88/tcp kerberos5 krb5 kerberos-sec
kerberos 88/udp kerberos5 krb5 kerberos-sec
pop3 110/tcp pop-3
sunrpc 111/tcp portmapper
sunrpc 111/udp portmapper
ntp 123/udp
imap2 143/tcp imap
snmp 161/tcp
snmp 161/udp
bgp 179/tcp
ldap 389/tcp
ldap 389/udp
https 443/tcp
https 443/udp
exec 512/tcp
biff 512/udp comsat
login 513/tcp
who 513/udp whod
shell 514/tcp cmd syslog
syslog 514/udp
imaps 993/tcp
pop3s 995/tcp
mysql 3306/tcp
postgresql 5432/tcp postgres
"""

_PROTOCOLS: Final = """\
# Internet (IP) protocols
ip 0 IP
icmp 1 ICMP
igmp 2 IGMP
ipencap 4 IP-ENCAP
tcp 6 TCP
egp 8 EGP
udp 17 UDP
dccp 33 DCCP
ipv6 41 IPv6
gre 47 GRE
esp 50 IPSEC-ESP
ah 51 IPSEC-AH
ipv6-icmp 58 IPv6-ICMP
ospf 89 OSPFIGP
sctp 132 SCTP
udplite 136 UDPLite
"""


def etc_of(
    host: str, addresses: Mapping[str, tuple[str, ...]], own: Mapping[str, str | None]
) -> dict[str, str]:
    """Say what stands below /etc on a host: by path, the text.

    ``addresses``: of every host of the scenario. ``own`` goes before what stands here.
    """
    lines = [f"{address} {name}\n" for name, all_ in addresses.items() for address in all_]
    files: dict[str, str | None] = {
        HOSTNAME: f"{host}\n",
        HOSTS: _LOCALHOST + "".join(lines),
        NSSWITCH: _NSSWITCH,
        HOST_CONF: "multi on\n",
        SERVICES: _SERVICES,
        PROTOCOLS: _PROTOCOLS,
    }
    files |= own
    return {path: text for path, text in files.items() if text is not None}


def nodename_of(host: str, files: Mapping[str, str]) -> str:
    """Say how a host is called that has booted with these files."""
    return files.get(HOSTNAME, host).strip()
