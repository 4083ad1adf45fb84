"""
Upstreams as data: addresses, headers, capabilities, default models.

What must not live here: code that talks to one. Read by `config`, and by `catalogue` and `local`
to discover.
"""
