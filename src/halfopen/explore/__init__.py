"""A fault at every point of a run: verdicts, the smallest counterexample, its replay."""
