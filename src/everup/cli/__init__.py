"""
The command line: a file for each group of commands, to parse, call and print.

What must not live here: decisions, sockets, files of its own. The only room that may print. Imports of other
rooms stand inside the commands, so that the small ones start at once.
"""
