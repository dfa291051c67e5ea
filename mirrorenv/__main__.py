"""`python -m mirrorenv` is the console script `mirrorenv`."""

from mirrorenv.cli import main

main()
