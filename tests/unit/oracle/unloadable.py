"""A program that loads here, but not in the process that is to run it."""

import sys

from halfopen.scenario.model import Lab

if "halfopen.oracle.conductor" in sys.orig_argv:
    raise ImportError("not in a child")


def program(lab: Lab) -> None:
    """Never run."""
    raise AssertionError(lab)
