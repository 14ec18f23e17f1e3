"""``python -m halfopen.explore`` is the worker: what it pickles must not be ``__main__``'s own."""

from halfopen.explore.worker import main

main()
