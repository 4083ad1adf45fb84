"""
Formats, without I/O.

One folder per wire, each with the same files, plus `framing`.
What must not live here: sockets, clocks, another wire's words. Siblings do not import each other.
"""
