"""``python -m losslib``: the command line."""

import sys

from losslib.cli import main

if __name__ == "__main__":
    sys.exit(main())
