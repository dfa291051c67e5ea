"""`python -m mirrorenv` is the console script `mirrorenv`."""

import sys
from pathlib import Path

# Python puts the working folder first, unless asked not to (-P). A received folder may hold files
# that are called like modules; only a checkout's own root, which brought this package, may stay.
_ROOT = str(Path(__file__).resolve().parents[1])
if not sys.flags.safe_path and str(Path(sys.path[0]).resolve()) != _ROOT:
    del sys.path[0]

from mirrorenv.start import main  # noqa: E402

main()
