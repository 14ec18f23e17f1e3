"""Run the variants of the notes in the world; print their names and a hash of each trace.

``tools/matrix.py`` runs this, with all of them, on every Python and build, under another hash seed
each, and compares the lines. How a traceback is printed is an interpreter's own, and is made alike:
where the sources lie, in how many writes it comes, and what is underlined.
"""

import argparse
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


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="A hash of the trace of every variant.")
    parser.add_argument("rows", nargs="*", help="of these rows only")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="of each Nth variant")
    options = parser.parse_args(arguments)
    for id_, note in all_notes().items():
        if options.rows and id_ not in options.rows:
            continue
        for variant in note.variants[:: options.every]:
            dump = alike(run_variant(variant, seed=1).dumps())
            digest = hashlib.sha256(dump.encode()).hexdigest()
            print(f"{id_} {variant.name} {digest}", flush=True)  # noqa: T201  its one purpose
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
