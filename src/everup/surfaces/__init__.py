"""
The client side: wires offered to callers, and all that stands before them.

What must not live here: stores, files, sockets of our own, or a decision about candidates. Nothing escapes a
surface: every error is encoded in the client's wire. Built by `app`, served by `serve`.
"""
