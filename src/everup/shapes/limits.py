"""
Limits: every bound of everup with its default, its unit and its origin.

What must not live here: code that applies one. Each field is a setting of the same name in the table
`[limits]` of the config file; `everup config show --defaults` prints this file's values.
"""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """All limits that are not a route's or a model's own."""

    # Clocks (FAULTS ruling 2).
    deadline_s: float = 600.0
    patience_s: float = 3.0
    first_event_s: float = 12.0
    first_event_tokens_per_s: float = 4000.0
    first_event_reasoning_s: float = 120.0
    first_event_local_s: float = 60.0
    opening_quiet_s: float = 30.0
    opening_s: float = 120.0
    opening_reasoning_s: float = 300.0
    stall_s: float = 20.0
    stall_pings_s: float = 60.0
    answer_s: float = 60.0
    answer_tokens_per_s: float = 40.0
    answer_tokens_default: int = 4096
    answer_reasoning_s: float = 300.0
    head_hold_s: float = 45.0
    keep_alive_s: float = 15.0
    """Between two keep-alive comments once the head is out (WIRES, Streaming)."""

    # The walk (FAULTS 2.6, rulings 4, 6, 7).
    attempts_beyond_candidates: int = 1
    cooldown_wait_s: float = 10.0
    probe_wait_s: float = 10.0
    blocked_probe_every_s: float = 30.0
    cheap_cooldown_max_s: float = 25.0
    billing_cooldown_first_s: float = 600.0
    billing_cooldown_max_s: float = 3600.0
    retry_after_max_s: float = 86400.0
    health_entries_max: int = 4096
    minted_entries_max: int = 4096
    """Hashes of reasoning signatures kept, each with the endpoint and account that minted it (ruling 8, 1a)."""

    # Clients (FAULTS section 6: S15, S16).
    head_bytes_max: int = 65_536
    headers_max: int = 100
    head_s: float = 10.0
    body_bytes_max: int = 33_554_432
    body_quiet_s: float = 10.0
    body_s: float = 120.0
    json_depth_max: int = 64
    json_keys_max: int = 100_000
    json_number_digits_max: int = 400
    connections_max: int = 12_000
    connections_per_address_max: int = 12_000
    keep_alive_idle_s: float = 75.0
    send_quiet_s: float = 120.0
    """How long a client may read nothing while bytes wait for it; then its connection is cut (row 86)."""
    requests_max: int = 12_000
    """Requests being answered at once; beyond it 503 at once with Retry-After (L10)."""
    key_guesses_per_minute_max: int = 60
    key_guess_addresses_max: int = 4096
    drain_s: float = 30.0

    # Upstreams (FAULTS 4.4, rows 42, 47, 48).
    connect_s: float = 5.0
    dns_s: float = 5.0
    dns_fresh_s: float = 30.0
    dns_stale_s: float = 3600.0
    upstream_head_bytes_max: int = 65_536
    upstream_headers_max: int = 200
    upstream_body_bytes_max: int = 67_108_864
    error_body_bytes_max: int = 65_536
    sse_line_bytes_max: int = 8_388_608
    held_bytes_max: int = 1_048_576
    stream_buffer_bytes: int = 65_536
    idle_local_s: float = 4.0
    idle_remote_s: float = 55.0
    idle_connections_max: int = 256
    concurrency: int = 1024
    """Requests of one provider at once, where the config does not say."""
    queue_max: int = 1024
    """Requests waiting for a slot of one provider or profile."""
    queue_s: float = 30.0

    # What is told.
    trail_bytes_max: int = 1024
    error_bytes_max: int = 2048
    fault_message_bytes_max: int = 300
    log_queue_max: int = 10_000
    log_lines_per_s_max: int = 50
