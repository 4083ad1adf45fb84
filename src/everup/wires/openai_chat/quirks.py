"""
What single providers of this wire do differently, by flag.

Lives here: the names of the flags. Must not: which provider has which (see `providers`).
"""

from __future__ import annotations

NO_STREAM_OPTIONS = "no_stream_options"
"""Refuses a request that holds `stream_options`: it is neither added nor passed on."""
