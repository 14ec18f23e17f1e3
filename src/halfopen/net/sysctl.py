"""The sysctls that the stack reads, with the defaults of a new namespace of Linux 6.18."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from halfopen.base.errors import MisuseError

DEFAULTS: Final[dict[str, int | str]] = {
    "net.core.rmem_default": 212992,
    "net.core.rmem_max": 4194304,
    "net.core.somaxconn": 4096,
    "net.core.wmem_default": 212992,
    "net.core.wmem_max": 4194304,
    "net.ipv4.icmp_echo_ignore_all": 0,
    "net.ipv4.ip_default_ttl": 64,
    "net.ipv4.ip_local_port_range": "32768 60999",
    "net.ipv4.ip_local_reserved_ports": "",
    "net.ipv4.ip_nonlocal_bind": 0,
    "net.ipv4.ip_unprivileged_port_start": 1024,
    "net.ipv4.neigh.eth0.base_reachable_time_ms": 30000,
    "net.ipv4.neigh.eth0.delay_first_probe_time": 5,
    "net.ipv4.neigh.eth0.mcast_solicit": 3,
    "net.ipv4.neigh.eth0.retrans_time_ms": 1000,
    "net.ipv4.neigh.eth0.ucast_solicit": 3,
    "net.ipv4.neigh.eth0.unres_qlen_bytes": 212992,
    "net.ipv4.tcp_abort_on_overflow": 0,
    "net.ipv4.tcp_early_retrans": 3,
    "net.ipv4.tcp_fin_timeout": 60,
    "net.ipv4.tcp_invalid_ratelimit": 500,
    "net.ipv4.tcp_keepalive_intvl": 75,
    "net.ipv4.tcp_keepalive_probes": 9,
    "net.ipv4.tcp_keepalive_time": 7200,
    "net.ipv4.tcp_max_syn_backlog": 2048,
    "net.ipv4.tcp_moderate_rcvbuf": 1,
    "net.ipv4.tcp_notsent_lowat": 0xFFFFFFFF,
    "net.ipv4.tcp_orphan_retries": 0,
    "net.ipv4.tcp_pingpong_thresh": 1,
    "net.ipv4.tcp_reordering": 3,
    "net.ipv4.tcp_retrans_collapse": 1,
    "net.ipv4.tcp_retries2": 15,
    "net.ipv4.tcp_rfc1337": 0,
    "net.ipv4.tcp_rmem": "4096 131072 33554432",
    "net.ipv4.tcp_rto_max_ms": 120000,
    "net.ipv4.tcp_rto_min_us": 200000,
    "net.ipv4.tcp_sack": 1,
    "net.ipv4.tcp_slow_start_after_idle": 1,
    "net.ipv4.tcp_stdurg": 0,
    "net.ipv4.tcp_syn_linear_timeouts": 4,
    "net.ipv4.tcp_syn_retries": 6,
    "net.ipv4.tcp_synack_retries": 5,
    "net.ipv4.tcp_syncookies": 1,
    "net.ipv4.tcp_timestamps": 1,
    "net.ipv4.tcp_tw_reuse": 2,
    "net.ipv4.tcp_tw_reuse_delay": 1000,
    "net.ipv4.tcp_window_scaling": 1,
    "net.ipv4.tcp_wmem": "4096 16384 4194304",
    "net.ipv6.bindv6only": 0,
    "net.ipv6.conf.all.disable_ipv6": 0,
    "net.ipv6.conf.eth0.disable_ipv6": 0,
    "net.ipv6.conf.lo.disable_ipv6": 0,
    "net.ipv6.icmp.echo_ignore_all": 0,
    "net.ipv6.ip_nonlocal_bind": 0,
    "net.ipv6.neigh.eth0.base_reachable_time_ms": 30000,
    "net.ipv6.neigh.eth0.delay_first_probe_time": 5,
    "net.ipv6.neigh.eth0.mcast_solicit": 3,
    "net.ipv6.neigh.eth0.retrans_time_ms": 1000,
    "net.ipv6.neigh.eth0.ucast_solicit": 3,
    "net.ipv6.neigh.eth0.unres_qlen_bytes": 212992,
}


def with_defaults(sysctl: Mapping[str, int | str]) -> dict[str, int | str]:
    """Return the whole table, changed as ``sysctl`` says.

    Raises MisuseError for a name that the stack does not read: it would change nothing.
    """
    table = dict(DEFAULTS)
    for name, setting in sysctl.items():
        if name not in DEFAULTS:
            near = get_close_matches(name, DEFAULTS)
            hint = f" Nearest: {', '.join(near)}." if near else ""
            raise MisuseError(f"no sysctl {name} in this kernel.{hint}")
        table[name] = setting
    return table


def integer(sysctl: Mapping[str, int | str], name: str) -> int:
    """Read a sysctl that is one number."""
    return int(sysctl[name])


def has_v6(sysctl: Mapping[str, int | str], interface: str) -> bool:
    """Whether an interface speaks IPv6 (Linux addrconf_disable_ipv6)."""
    disabled = int(sysctl["net.ipv6.conf.all.disable_ipv6"])
    return not disabled and not int(sysctl.get(f"net.ipv6.conf.{interface}.disable_ipv6", 0))


def ports(sysctl: Mapping[str, int | str]) -> tuple[int, int]:
    """Read ip_local_port_range: the lowest and the highest ephemeral port."""
    low, high = str(sysctl["net.ipv4.ip_local_port_range"]).split()
    return int(low), int(high)


def reserved_ports(sysctl: Mapping[str, int | str]) -> frozenset[int]:
    """Read ip_local_reserved_ports: ``8080,9148-9150``."""
    reserved: list[int] = []
    for part in str(sysctl["net.ipv4.ip_local_reserved_ports"]).split(","):
        first, _, last = part.strip().partition("-")
        if first:
            reserved.extend(range(int(first), int(last or first) + 1))
    return frozenset(reserved)
