"""
Errors of an Ollama server, in its refusals and inside its answers.

Lives here: what is this wire's own in them. Must not: other envelopes (see `wires.errors_in`), what an error means
(see `policy.classify`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from everup.policy.classify import ErrorSeen, Refusal, classify_error, classify_refusal
from everup.shapes.fault import Fault, FaultKind
from everup.wires import errors_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everup.shapes.route import Candidate

ENVELOPE_FIELDS = frozenset({"code", "detail", "object"})
KIND = "ollama"
"""Told as the provider, whatever its name in the config: a missing model is got by `ollama pull`."""
WRONG_PATH = "no such address: the base URL of an Ollama server has no path (http://host:11434, without /v1)"

MORE_CONTEXT = (
    "Ollama often loads less context than a model has: params = { options = { num_ctx = 32768 } } asks for more"
)


def read_refusal(status: int, headers: Mapping[str, str], body: bytes, candidate: Candidate) -> Fault:
    """Return the fault that any answer with another status than 200 stands for."""
    seen = errors_in.read_error(body)
    fault = classify_refusal(
        Refusal(
            status=status,
            headers=headers,
            body=body,
            seen=None if seen is None else opened(seen),
            provider=KIND,
            model=candidate.model.ref.model,
            is_local=candidate.provider.is_local,
        )
    )
    if fault.kind is FaultKind.WRONG_PATH:
        return structs.replace(fault, message=f"status {status}: {WRONG_PATH}")
    if fault.kind is FaultKind.CONTEXT_OVERFLOW:
        return structs.replace(fault, message=f"{fault.message} ({MORE_CONTEXT})")
    return fault


def fault_of(error: object, candidate: Candidate) -> Fault:
    """Return the fault that the `error` of an answer with status 200 stands for."""
    return judged(errors_in.error_in({"error": error}) or ErrorSeen(message="an error of unknown form"), candidate)


def error_of(found: object, candidate: Candidate) -> Fault | None:
    """
    Return the fault that JSON in an answer's place tells of, None for no error.

    A proxy before the server has envelopes of its own (FAULTS row 31), told by a field that no answer has.
    """
    if not isinstance(found, dict):
        return None
    if found.get("error"):
        return fault_of(found["error"], candidate)
    seen = errors_in.error_in(found) if found.keys() & ENVELOPE_FIELDS else None
    return None if seen is None else judged(seen, candidate)


def judged(seen: ErrorSeen, candidate: Candidate) -> Fault:
    """Return what an error with status 200 means."""
    model, is_local = candidate.model.ref.model, candidate.provider.is_local
    return classify_error(opened(seen), provider=KIND, model=model, is_local=is_local)


def opened(seen: ErrorSeen) -> ErrorSeen:
    """
    Return the error that stands as JSON inside the text of another.

    Else the error itself.
    A newer server passes on the whole body that llama.cpp's server sent it, as that text (ollama issue 16800).
    """
    return errors_in.read_error(seen.message.encode()) or seen
