"""``_warnings``: C's own functions, over filters that are each process's own.

They look for ``filters`` in the module ``warnings`` of the process that runs, which has taken it
from here: so every process begins with that module (``guest.image``).
"""

import _warnings as real
from types import ModuleType
from typing import TYPE_CHECKING

from halfopen.guest.standins.assemble import assemble

if TYPE_CHECKING:
    from halfopen.guest.image import Image


def make(image: "Image") -> ModuleType:  # noqa: ARG001  as every stand-in
    """Make the module, with the filters of an interpreter that is given no ``-W``."""
    quiet = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
    own = {
        "filters": [
            ("default", None, DeprecationWarning, "__main__", 0),
            *(("ignore", None, category, None, 0) for category in quiet),
        ],
        "_onceregistry": {},
    }
    return assemble(real, own, passed=[name for name in vars(real) if not name.startswith("__")])
