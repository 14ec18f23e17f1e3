"""A script for the public World's tests."""

# ruff: noqa: T201  programs print what they got

import sys

print(__name__, sys.argv[1:])
