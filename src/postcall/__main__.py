"""`python -m postcall` is the `postcall` command."""

from postcall.cli import main

main()
