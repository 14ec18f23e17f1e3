"""A program that loads here and in a conductor, but not in the process that is to run it."""

import sys

from halfopen.scenario.model import Lab

if "halfopen.oracle.child" in sys.orig_argv:
    raise ImportError("not in a child")


def program(lab: Lab) -> None:
    """Never run."""
    raise AssertionError(lab)
