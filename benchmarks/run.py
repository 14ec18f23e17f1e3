"""Measure both builds and print a table: ``make bench``, ``python benchmarks/run.py [NAME ...]``.

Each build runs in a process of its own. Beside every figure stands a baseline taken in the same
process just before and after it, a loop over a heap in plain Python: the column ``to baseline`` is
the figure divided by it, so that the speed of the machine and its other work cancel out. Figures
are medians; ``±`` is half the distance between the second and the second last.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def measure(wanted: list[str], rounds: int) -> list[dict[str, Any]]:
    """Take every measure in this process."""
    from benchmarks.measures import MEASURES, baseline

    found = []
    for one in MEASURES:
        if wanted and not any(word in one.name for word in wanted):
            continue
        figures, ratios = [], []
        for _ in range(rounds if one.rate else 1):
            before = baseline()
            figure = one.take()
            figures.append(figure)
            ratios.append(figure / statistics.mean((before, baseline())))
        figures.sort()
        spread = (figures[-2] - figures[1]) / 2 if len(figures) > 3 else 0.0
        found.append(
            {
                "name": one.name,
                "unit": one.unit,
                "rate": one.rate,
                "figure": statistics.median(figures),
                "spread": spread,
                "to_baseline": statistics.median(ratios) if one.rate else None,
            }
        )
    return found


def in_build(build: str, arguments: list[str]) -> list[dict[str, Any]]:
    """Take the measures in a process that runs this build."""
    environ = {
        **os.environ,
        "HALFOPEN_PURE": "1" if build == "pure" else "0",
        "PYTHONHASHSEED": "0",
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--here", *arguments],
        check=True,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def table(builds: dict[str, list[dict[str, Any]]]) -> str:
    """Lay the figures of the builds side by side."""
    lines = [f"{'':18}{'unit':16}{'pure':>16}{'compiled':>16}{'ratio':>7}{'to baseline':>13}"]
    compiled = {one["name"]: one for one in builds.get("compiled", [])}
    for pure in builds["pure"]:
        other = compiled.get(pure["name"])
        row = f"{pure['name']:18}{pure['unit']:16}{_figure(pure):>16}"
        row += f"{_figure(other) if other else '-':>16}"
        row += f"{other['figure'] / pure['figure']:7.2f}" if other else f"{'-':>7}"
        marks = [f"{one['to_baseline']:.3f}" for one in (pure, other) if one and one["rate"]]
        lines.append(f"{row}{' '.join(marks):>13}")
    return "\n".join(lines)


def _figure(one: dict[str, Any]) -> str:
    spread = f" ±{one['spread'] / one['figure']:.0%}" if one["rate"] else ""
    return f"{one['figure']:,.0f}{spread}"


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="Benchmarks of both builds.")
    parser.add_argument("names", nargs="*", help="words of the measures' names; all if none")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--here", action="store_true", help="this process only; prints JSON")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options.names, options.rounds)))
        return 0
    environ = {**os.environ, "HALFOPEN_PURE": "0"}
    ask = [sys.executable, "-c", "from halfopen.base.build import running_build as r; print(r())"]
    best = subprocess.run(ask, check=True, env=environ, stdout=subprocess.PIPE, text=True)
    arguments = [*options.names, "--rounds", str(options.rounds)]
    wanted = ["pure", "compiled"] if best.stdout.strip() == "compiled" else ["pure"]
    builds = {build: in_build(build, arguments) for build in wanted}
    if options.json:
        print(json.dumps(builds, indent=1))
        return 0
    python = ".".join(map(str, sys.version_info[:3]))
    print(f"Python {python}, {os.cpu_count()} CPUs; per second of CPU time, trace off\n")
    print(table(builds))
    if wanted == ["pure"]:
        print("\nThe compiled build is not installed here: `make bench` builds it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
