"""
Profile to secret, from memory; and the keys of everup's own callers.

What must not live here: comparing a caller's key (see `surfaces`), choosing a profile (see `policy`). Raises
`CredentialError` and `StoreError`; `Credentials.current` never waits and never reads a file.
"""
