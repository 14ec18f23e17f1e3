"""``python -m halfopen`` is the command line."""

import sys

try:
    from halfopen.cli.entry import main
except KeyboardInterrupt:
    sys.exit(130)

main()
