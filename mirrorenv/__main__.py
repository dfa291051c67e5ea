"""`python -m mirrorenv` is the console script `mirrorenv`."""

from mirrorenv.cli.main import main

main()
