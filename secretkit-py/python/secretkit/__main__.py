"""`python -m secretkit` is the command line."""

import sys

from secretkit._command import main

sys.exit(main())
