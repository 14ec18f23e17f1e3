"""``python -m halfopen`` is the command line."""

from halfopen.cli.main import main

main()
