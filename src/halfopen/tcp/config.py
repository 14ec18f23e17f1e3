"""What a host's sysctls say to TCP, in our units.

Read once, when a socket is made, as Linux reads most of them.
"""

from collections.abc import Mapping

from halfopen.base.units import MS, US, S


class Config:
    """One host's settings for TCP; durations in ns, sizes in bytes.

    ``phase`` is the host's tick phase (``jiffies.fires_at``). Built from sysctls by kernel name; a
    missing one is a KeyError, because the host's table holds them all.
    """

    def __init__(self, sysctl: Mapping[str, int | str], phase: int) -> None:
        self.phase = phase
        self.retries2 = _number(sysctl, "tcp_retries2")
        self.orphan_retries = _number(sysctl, "tcp_orphan_retries")
        self.syn_retries = _number(sysctl, "tcp_syn_retries")
        self.synack_retries = _number(sysctl, "tcp_synack_retries")
        self.syncookies = _number(sysctl, "tcp_syncookies")
        self.max_syn_backlog = _number(sysctl, "tcp_max_syn_backlog")
        self.syn_linear_timeouts = _number(sysctl, "tcp_syn_linear_timeouts")
        self.rto_min_ns = _number(sysctl, "tcp_rto_min_us") * US  # LINUX(rto-floor), not a second
        self.rto_max_ns = _number(sysctl, "tcp_rto_max_ms") * MS
        self.fin_timeout_ns = _number(sysctl, "tcp_fin_timeout") * S
        self.keepalive_time_ns = _number(sysctl, "tcp_keepalive_time") * S
        self.keepalive_intvl_ns = _number(sysctl, "tcp_keepalive_intvl") * S
        self.keepalive_probes = _number(sysctl, "tcp_keepalive_probes")
        self.timestamps = _number(sysctl, "tcp_timestamps") != 0
        self.sack = _number(sysctl, "tcp_sack") != 0
        self.window_scaling = _number(sysctl, "tcp_window_scaling") != 0
        self.loss_probes = _number(sysctl, "tcp_early_retrans") in {3, 4}
        self.retrans_collapse = _number(sysctl, "tcp_retrans_collapse") != 0
        self.pingpong_thresh = _number(sysctl, "tcp_pingpong_thresh")
        self.notsent_lowat = _number(sysctl, "tcp_notsent_lowat")
        self.reordering = _number(sysctl, "tcp_reordering")
        self.rfc1337 = _number(sysctl, "tcp_rfc1337") != 0
        self.abort_on_overflow = _number(sysctl, "tcp_abort_on_overflow") != 0
        self.stdurg = _number(sysctl, "tcp_stdurg") != 0
        self.slow_start_after_idle = _number(sysctl, "tcp_slow_start_after_idle") != 0
        self.invalid_ratelimit_ns = _number(sysctl, "tcp_invalid_ratelimit") * MS
        _, self.rmem_default, self.rmem_max = _three(sysctl, "tcp_rmem")
        #: What the window scale must be able to say (Linux tcp_select_initial_window).
        self.rmem_largest = max(self.rmem_max, int(sysctl["net.core.rmem_max"]))
        self.moderate_rcvbuf = _number(sysctl, "tcp_moderate_rcvbuf") != 0
        _, self.wmem_default, self.wmem_max = _three(sysctl, "tcp_wmem")


def _number(sysctl: Mapping[str, int | str], name: str) -> int:
    return int(sysctl["net.ipv4." + name])


def _three(sysctl: Mapping[str, int | str], name: str) -> tuple[int, int, int]:
    low, middle, high = str(sysctl["net.ipv4." + name]).split()
    return int(low), int(middle), int(high)
