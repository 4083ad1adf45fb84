"""
The run: walks a plan, holds the head, remembers health.

What must not live here: a wire's format, a socket, a file. One provider's failure never leaves this room.
"""
