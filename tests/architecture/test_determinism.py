"""House style, rule 11: one seed, one trace, byte for byte, whatever the hash seed is.

Here of some variants of each row; ``tools/matrix.py`` holds all of them alike.
"""

import os
import subprocess
import sys

import pytest
from tests.architecture import sources

_DIGEST = sources.ROOT / "tests" / "architecture" / "trace_digest.py"


def _digests(hash_seed: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(_DIGEST), "--every", "12"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_hash_seed_changes_no_trace() -> None:
    first = _digests("0")
    assert first
    assert _digests("random") == first
