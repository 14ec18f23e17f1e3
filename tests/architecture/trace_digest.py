"""Run every variant of every note in the world; print its name and a hash of its trace.

``tools/matrix.py`` runs this on every Python and build, under another hash seed each, and compares
the lines. How a traceback is printed is an interpreter's own, and is made alike: where the sources
lie, in how many writes it comes, and what is underlined.
"""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Final

import halfopen
from halfopen.guest.arm import run_variant
from halfopen.scenario.notes import all_notes

UNDERLINE: Final = re.compile(r"^ +[~^]+\n", re.MULTILINE)
SOURCES: Final = str(Path(halfopen.__file__).parent)


def alike(dump: str) -> str:
    """Name the sources alike, and join what a stream was given in writes that follow each other."""
    joined: list[dict[str, object]] = []
    for line in dump.replace(SOURCES, "halfopen").splitlines():
        entry = json.loads(line)
        if entry.get("event") == "Output" and joined:
            before = joined[-1]
            if {**before, "text": ""} == {**entry, "text": ""}:
                before["text"] = f"{before['text']}{entry['text']}"
                continue
        joined.append(entry)
    for entry in joined:
        if "text" in entry:
            entry["text"] = UNDERLINE.sub("", str(entry["text"]))
    return "\n".join(json.dumps(entry, sort_keys=True) for entry in joined)


def main(wanted: list[str]) -> int:
    for id_, note in all_notes().items():
        if wanted and id_ not in wanted:
            continue
        for variant in note.variants:
            dump = alike(run_variant(variant, seed=1).dumps())
            digest = hashlib.sha256(dump.encode()).hexdigest()
            print(f"{id_} {variant.name} {digest}", flush=True)  # noqa: T201  its one purpose
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
