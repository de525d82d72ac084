"""Lets `python -m predsurv` do what the console script does, for environments whose PATH lacks the script."""

import sys

from predsurv.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
