"""The command line: ask, compare, run, explore, audit, replay."""
