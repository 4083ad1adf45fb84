"""
The door for `python -m everup`.

Lives here: the call of the command line. Must not: anything else.
"""

from everup.cli.main import main

if __name__ == "__main__":
    main()
