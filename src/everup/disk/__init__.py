"""
The only door to files: durable writes, and reads with four answers.

What must not live here: what the bytes mean. Called in worker threads or at start; raises `StoreError` only.
"""
