"""
The only door out.

One request to an origin becomes a head and a stream of bytes, or a `TransportError`.

What must not live here: what a status or a body means (see `wires`), retries, redirects, secrets of our own.
Called by the engine, credentials, catalogue and local; `client.Client` is where to begin reading.
"""
