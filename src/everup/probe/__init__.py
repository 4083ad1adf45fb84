"""
Facts about this machine: what is so, never what follows from it.

What must not live here: verdicts, fixes, writing. Called in worker threads or before the loop runs.
"""
