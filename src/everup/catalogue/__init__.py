"""
Which models providers list: asked beside the requests, kept in memory.

What must not live here: servers of this machine (see `local`) and choosing a model for a request. Called by `app`,
read by `surfaces`.
"""
