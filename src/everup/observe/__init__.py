"""
Telling: metrics and the log.

What must not live here: deciding anything. Nothing here blocks or raises: bookkeeping can never fail a request
(FAULTS rows 64 and 66). Built by `app`, called by every room above.
"""
