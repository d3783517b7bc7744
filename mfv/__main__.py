"""`python -m mfv`: the same as the command `mfv`."""

import sys

from mfv.cli.main import main

sys.exit(main())
