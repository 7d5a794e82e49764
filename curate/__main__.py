"""``python -m curate`` is the command ``curate``."""

from curate.cli.app import main

main()
