"""The vocabulary of traces and faults, which the world and the kernel arm both write."""
