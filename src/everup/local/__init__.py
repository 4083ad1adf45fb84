"""
What runs on this machine: servers found here, and the embedded model.

What must not live here: requests to providers and what a route is. Called by `app`, `engine` and `cli`.
"""
