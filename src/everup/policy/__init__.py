"""
Verdicts: pure functions and tables.

What must not live here: awaiting, I/O, reading a clock (time is an argument). Called by wires and the engine.
"""
