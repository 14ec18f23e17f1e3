"""Run every variant of every note in the world; print its name and a hash of its trace.

``tools/matrix.py`` runs this on every Python and build, under another hash seed each, and compares
the lines.
"""

import hashlib
import sys

from halfopen.guest.arm import run_variant
from halfopen.scenario.notes import all_notes


def main(wanted: list[str]) -> int:
    for id_, note in all_notes().items():
        if wanted and id_ not in wanted:
            continue
        for variant in note.variants:
            dump = run_variant(variant, seed=1).dumps()
            digest = hashlib.sha256(dump.encode()).hexdigest()
            print(f"{id_} {variant.name} {digest}", flush=True)  # noqa: T201  its one purpose
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
