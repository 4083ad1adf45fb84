"""
The command line: one file per group of commands; each parses, calls and prints.

What must not live here: decisions, sockets, files of its own. The only room that may print. Imports of other
rooms stand inside the commands, so that the small ones start at once.
"""
