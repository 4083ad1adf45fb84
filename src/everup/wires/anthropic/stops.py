"""
Why an answer of this wire ended.

Lives here: its words for the reasons. Must not: judging an answer by them.
"""

from __future__ import annotations

from everup.shapes.chat import StopReason

READ: dict[object, StopReason] = {
    "end_turn": StopReason.END,
    "max_tokens": StopReason.LENGTH,
    "stop_sequence": StopReason.SEQUENCE,
    "tool_use": StopReason.TOOL,
    "pause_turn": StopReason.PAUSE,
    # The beta that pauses after it has shortened the conversation: the client continues it.
    "compaction": StopReason.PAUSE,
    "refusal": StopReason.FILTER,
    "model_context_window_exceeded": StopReason.WINDOW,
}


def read_stop(word: object, *, has_calls: bool, has_answer: bool) -> StopReason:
    """
    Return why an answer ended; an unknown word is a plain end (FAULTS row 37).

    `has_answer`: the forced tool that stands for a structured answer was called, which is no call to a client.
    """
    stop = READ.get(word, StopReason.END) if isinstance(word, str) else StopReason.END
    if has_calls and stop is StopReason.END:
        return StopReason.TOOL
    return StopReason.END if has_answer and not has_calls and stop is StopReason.TOOL else stop
