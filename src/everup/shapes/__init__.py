"""
Nouns: frozen values that every room may hold.

What must not live here: decisions, I/O, clocks. Imported by all rooms below `errors`.
"""
