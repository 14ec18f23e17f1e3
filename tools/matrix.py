"""Every supported Python that is installed, with both builds: built, tested, their traces compared.

Each Python has one environment (``.venv-3.12``) that holds the compiled build; ``HALFOPEN_PURE=1``
runs the sources in it. Without a C compiler it holds the pure build, and a line says so. Builds and
environments are kept, and made again only where a source or the lock file changed.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final, TypeAlias

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements.lock"
#: What is run on every Python and build; the rest (kernel, docs, architecture) looks at no build.
SUITES: Final = ("tests/unit", "tests/scenarios", "tests/property")
#: Of the sources on another Python: what meets the interpreter. The stack below is plain
#: arithmetic, runs compiled with all its tests, and writes the same traces from its sources.
INTERPRETED: Final = ("tests/unit/guest", "tests/unit/cli", "tests/unit/explore", "tests/scenarios")
DIGEST: Final = ROOT / "tests" / "architecture" / "trace_digest.py"

#: The exit status of a run of every variant, and a line for each trace.
Digests: TypeAlias = tuple[int, list[str]]


class BuildFailedError(Exception):
    """A step of a build ended with an error; the text is the end of its output."""


class Python:
    """One Python, its environment, and whether the compiled build can be made for it."""

    def __init__(self, version: str, exe: str, venv: Path, *, compiled: bool) -> None:
        self.version = version
        self.exe = exe
        self.venv = venv
        self.compiled = compiled
        self.bin = venv / "bin" / "python"

    @property
    def builds(self) -> tuple[str, ...]:
        """The builds that this environment can run."""
        return ("pure", "compiled") if self.compiled else ("pure",)

    def environ(self, build: str) -> dict[str, str]:
        """Choose a build by the environment."""
        return {**os.environ, "HALFOPEN_PURE": "1" if build == "pure" else "0"}


def installed(prefix: Path) -> list[Python]:
    """Find the Pythons, oldest first."""
    system = ROOT / "tools" / "system"
    compiled = subprocess.run([system, "compiler"], check=False).returncode == 0
    if not compiled:
        print("compiled build: skipped, no C compiler or no Python headers here", flush=True)
    out = subprocess.run([ROOT / "tools" / "python"], check=True, capture_output=True, text=True)
    found = []
    for line in out.stdout.splitlines():
        version, exe = line.split(" ", 1)
        found.append(Python(version, exe, Path(f"{prefix}-{version}"), compiled=compiled))
    return found


def run(command: list[str | Path], environ: dict[str, str] | None = None, cwd: Path = ROOT) -> None:
    """Run a step quietly.

    Raises BuildFailedError with the end of its output.
    """
    done = subprocess.run(
        command, check=False, env=environ, cwd=cwd, capture_output=True, text=True
    )
    if done.returncode:
        output = (done.stdout + done.stderr)[-6000:]
        raise BuildFailedError(f"{' '.join(map(str, command))}\n{output}")


def packaged() -> Iterator[Path]:
    """Yield every file that a wheel is made from, in a fixed order."""
    yield from (ROOT / name for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"))
    yield ROOT / "tools" / "backend.py"
    for path in sorted((ROOT / "src").rglob("*")):
        if path.is_file() and path.suffix not in {".pyc", ".so"} and "egg-info" not in str(path):
            yield path


def fingerprint(*parts: bytes) -> str:
    """Hash what a stamp stands for."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def requirements(*, compiled: bool) -> list[str]:
    """List what the tests need, and the build too where it compiles."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["test"], "setuptools>=80"]
    return [*wanted, *extras["compile"]] if compiled else wanted


def prepare(python: Python) -> str:
    """Bring the environment and its build up to date; say what was done."""
    began = time.monotonic()
    wanted = requirements(compiled=python.compiled)
    stamp = python.venv / "halfopen-requirements"
    deps = fingerprint(LOCK.read_bytes(), python.exe.encode(), *(name.encode() for name in wanted))
    if not stamp.exists() or stamp.read_text() != deps:
        shutil.rmtree(python.venv, ignore_errors=True)
        run([python.exe, "-m", "venv", python.venv])
        run([python.bin, "-m", "pip", "install", "-q", "-c", LOCK, *wanted])
        stamp.write_text(deps)
    stamp = python.venv / "halfopen-build"
    parts = [
        str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() for path in packaged()
    ]
    built = fingerprint(str(python.compiled).encode(), deps.encode(), *parts)
    if stamp.exists() and stamp.read_text() == built:
        return f"{python.version}: up to date"
    stamp.unlink(missing_ok=True)
    wheel = build(python)
    run([python.bin, "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", wheel])
    stamp.write_text(built)
    return f"{python.version}: built {wheel.name} in {time.monotonic() - began:.0f} s"


def build(python: Python) -> Path:
    """Build the wheel in a copy of its own, where C files and objects stay for the next time."""
    work = ROOT / "build" / f"py{python.version}"
    shutil.rmtree(work / "src", ignore_errors=True)
    for stale in (work / "build").glob("lib*"):
        shutil.rmtree(stale)  # else a module that was removed would stay in the wheel
    for path in packaged():
        copy = work / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    dist = work / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    environ = {**os.environ, "HALFOPEN_COMPILE": "1" if python.compiled else "0"}
    command: list[str | Path] = [python.bin, "-m", "pip", "wheel", "-q", "--no-deps"]
    run([*command, "--no-build-isolation", "-w", dist, "."], environ, cwd=work)
    (wheel,) = dist.glob("*.whl")
    target = ROOT / "dist" / wheel.name
    target.parent.mkdir(exist_ok=True)
    shutil.copy2(wheel, target)
    return target


def build_all(pythons: list[Python]) -> None:
    """Build for all of them, two at a time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        for said in pool.map(prepare, pythons):
            print(said, flush=True)


def build_and_digest(pythons: list[Python]) -> bool:
    """Build for all of them, and run every variant on each build as soon as it stands.

    True where all traces are alike.
    """
    began = time.monotonic()
    # One run alone would be held against nothing: then it is made under two hash seeds.
    times = 1 if sum(len(python.builds) for python in pythons) > 1 else 2
    runs: list[tuple[str, Future[Digests]]] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        builds = {pool.submit(prepare, python): python for python in pythons}
        for built in as_completed(builds):
            python = builds[built]
            print(built.result(), flush=True)
            for name in python.builds * times:
                seed = len(runs)
                run = pool.submit(digest, python, name, seed)
                runs.append((f"{python.version} {name}, hash seed {seed}", run))
    alike = held_alike([(label, run.result()) for label, run in runs])
    print(f"builds and traces: {time.monotonic() - began:.0f} s", flush=True)
    return alike


def test(python: Python, build_name: str, arguments: list[str]) -> bool:
    """Run the suites; True where they passed."""
    print(f"\n=== Python {python.version}, {build_name} build ===", flush=True)
    here = python.version == sysconfig.get_python_version()
    suites = SUITES if here or build_name == "compiled" else INTERPRETED
    # Rows of the notes: their traces are the same bytes everywhere, so one Python's are enough.
    marked = "not kernel" if here else "not kernel and not once"
    command = [str(python.bin), "-m", "pytest", "-q", "-n", "auto", "-m", marked, *suites]
    began = time.monotonic()
    done = subprocess.run(
        [*command, *arguments], check=False, env=python.environ(build_name), cwd=ROOT
    )
    print(f"took {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode == 0


def digest(python: Python, name: str, seed: int) -> Digests:
    """Run every variant once; give the exit status and a line for each trace."""
    done = subprocess.run(
        [python.bin, DIGEST],
        check=False,
        env={**python.environ(name), "PYTHONHASHSEED": str(seed)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.returncode, done.stdout.splitlines()


def held_alike(runs: list[tuple[str, Digests]]) -> bool:
    """Hold the traces of all runs against the first's, and name those that differ."""
    broken = [label for label, (status, lines) in runs if status or not lines]
    for label in broken:
        print(f"traces: {label}: the run failed")
    if broken:
        return False
    (first, (_, expected)), *others = runs
    alike = True
    for label, (_, lines) in others:
        for variant in sorted({line.rpartition(" ")[0] for line in set(lines) ^ set(expected)}):
            alike = False
            print(f"traces: {label} differs from {first}: {variant}")
    if alike:
        print(f"traces: {len(expected)} variants, the same bytes in {len(runs)} runs", end=" ")
        print("(Pythons x builds, a hash seed each)", flush=True)
    return alike


def main() -> int:
    """Build, test or compare, as asked."""
    parser = argparse.ArgumentParser(description="All Pythons, both builds.")
    parser.add_argument("action", choices=("build", "test"))
    parser.add_argument(
        "--venv", type=Path, default=ROOT / ".venv", help="prefix of the environments"
    )
    parser.add_argument("--only", help="one version, such as 3.11")
    parser.add_argument("rest", nargs="*", help="more arguments for pytest, after --")
    options = parser.parse_args()
    there = installed(options.venv.absolute())
    pythons = [python for python in there if options.only in {None, python.version}]
    if not pythons:
        versions = ", ".join(python.version for python in there) or "none"
        wanted = options.only or "3.11 to 3.13"
        print(f"no Python {wanted} here; there are: {versions}", file=sys.stderr)
        return 2
    try:
        if options.action == "build":
            build_all(pythons)
            return 0
        alike = build_and_digest(pythons)
    except BuildFailedError as error:
        print(f"build failed: {error}", file=sys.stderr)
        return 1
    # The pure build on the Python of the main environment was just tested by `make test` itself.
    here = sysconfig.get_python_version()
    jobs = [(p, name) for p in pythons for name in p.builds if (p.version, name) != (here, "pure")]
    failed = [f"{p.version} {name}" for p, name in jobs if not test(p, name, options.rest)]
    tested = ", ".join(f"{p.version} {name}" for p, name in jobs) or "nothing beyond the main run"
    print(f"\nmatrix: {tested}: " + (f"FAILED on {', '.join(failed)}" if failed else "passed"))
    return 1 if failed or not alike else 0


if __name__ == "__main__":
    sys.exit(main())
