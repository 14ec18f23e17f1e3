"""A host as its C library sees it: what stands below /etc, and how the host is called."""

from collections.abc import Mapping

from halfopen.scenario.etc import nodename_of


class Etc:
    """One host, since it booted. ``nodename`` is the kernel's, and ``sethostname`` changes it."""

    def __init__(self, host: str, files: Mapping[str, str]) -> None:
        self.files = files
        self.nodename = nodename_of(host, files)

    def lines(self, path: str) -> list[str] | None:
        """Return a file's lines; None: there is no such file."""
        text = self.files.get(path)
        return None if text is None else text.split("\n")
