"""Congestion control: one module for each algorithm, with the same functions over the Tcb."""
