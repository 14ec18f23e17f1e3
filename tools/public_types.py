"""The types of the public names are complete, as people's type checkers see them.

``basedpyright --verifytypes`` looks at every module; what is no public name is ours to judge, and
mypy's.
"""

import json
import subprocess
import sys
import sysconfig
from typing import Any

import halfopen


def symbols() -> list[dict[str, Any]]:
    """Ask for everything that the package exports, in the environment that runs this."""
    scripts = sysconfig.get_path("scripts")
    done = subprocess.run(
        [
            f"{scripts}/basedpyright",
            "--ignoreexternal",
            "--outputjson",
            "--verifytypes",
            "halfopen",
        ],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        # It finds the package by the Python that comes first; --pythonpath is for other checks.
        env={"PATH": scripts, "VIRTUAL_ENV": sys.prefix},
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    return found


def main() -> int:
    """Print what is incomplete. Exit status 1 where something is."""
    found = {symbol["name"]: symbol for symbol in symbols()}
    homes = {
        alias: name for name, symbol in found.items() for alias in symbol.get("alternateNames", ())
    }
    wrong = 0
    for public in halfopen.__all__:
        home = homes.get(f"halfopen.{public}")
        if home is None:
            print(f"halfopen.{public}: not found")
            wrong += 1
            continue
        for name, symbol in found.items():
            if name != home and not name.startswith(f"{home}."):
                continue
            if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]:
                wrong += 1
                said = "; ".join(each["message"] for each in symbol["diagnostics"])
                print(f"{name}: {said or 'its type is not known'}")
    result = f"{wrong} incomplete" if wrong else "complete"
    print(f"types of {len(halfopen.__all__)} public names: {result}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
