"""How traces call a signal."""

import signal


def signal_name(number: int) -> str:
    """Name a signal; of the real-time ones only the first and the last have a name of their own."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
