"""
Text to snapshot: schema, parse, build, first run, and the holder.

What must not live here: resolving a secret (config holds references only) and deciding what to do about a
problem. Raises `ConfigError`, and only for a text that cannot be read at all.
"""
