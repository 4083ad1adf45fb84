"""
Fakes that sit behind seams.

A clock that jumps, a scripted provider, a whole gateway as a child process.
What must not live here: anything the product itself needs. Imported by tests only (a contract checks it).
"""
