"""Every form in which a provider says when to ask again (FAULTS rows 16-19)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.policy.retry_after import read_hint, read_retry_after
from everup.policy.seen import ErrorSeen
from everup.shapes.limits import Limits

DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait_s", "row"),
    [
        ({"retry-after": "30"}, 30, "5.16"),
        ({"retry-after": " 2.5 "}, 2.5, "5.16"),
        ({"retry-after": "0"}, 1, "5.16"),
        ({"retry-after": "20s"}, 20, "5.16"),
        ({"retry-after": "999999999999"}, 86400, "5.16"),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:20 GMT", "date": DATE}, 20, "5.17"),
        ({"retry-after": "Wed, 21 Oct 2095 07:28:20 GMT", "date": DATE}, 86400, "5.17"),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, "5.18"),
        ({"x-ms-retry-after-ms": "28"}, 1, "5.18"),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360, "5.18"),
        ({"x-ratelimit-reset-tokens": "28ms"}, 1, "5.18"),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5, "5.18"),
        (
            {
                "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "2s",
                "x-ratelimit-remaining-tokens": "900",
            },
            360,
            "5.18",
        ),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-reset-tokens": "2s"}, 2, "5.18"),
        ({"anthropic-ratelimit-tokens-reset": "2015-10-21T07:29:00Z", "date": DATE}, 60, "5.18"),
        ({"x-ratelimit-reset": "1445412510", "date": DATE}, 30, "5.18"),
        ({"x-ratelimit-reset": "1445412510000", "date": DATE}, 30, "5.18"),
        ({"x-ratelimit-reset-requests-day": "33011.382867"}, 33011.382867, "5.18"),
    ],
)
def test_hints(headers: dict[str, str], wait_s: float, row: str) -> None:
    """Each header form gives its wait, from 1 s to a day."""
    assert (wait_s, row) == read_hint(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": ""},
        {"retry-after": "-5"},
        {"retry-after": "soon"},
        {"retry-after": "nan"},
        {"retry-after": "inf"},
        {"retry-after": "1e9"},
        {"retry-after": "٣"},
        {"retry-after": "9" * 5000},
        {"retry-after": "Wed, 21 Oct 2015 07:28:20 GMT"},
        {"retry-after": "Wed, 21 Oct 2015 07:28:20 GMT", "date": "Wed, 21 Oct 2015 08:00:00 GMT"},
        {"retry-after": "Wed, 99 Foo 2015 07:28:20 GMT", "date": DATE},
        {"retry-after-ms": "-1"},
        {"x-ratelimit-reset-requests": "never"},
        {"anthropic-ratelimit-tokens-reset": "2015-10-21T07:29:00Z"},
        {"x-ratelimit-reset": "1445412510"},
        {"x-ratelimit-remaining-requests": "3"},
    ],
)
def test_no_hint(headers: dict[str, str]) -> None:
    """Nothing, garbage, the past and a date without the response's own clock give no wait."""
    assert (None, "5.19") == read_hint(headers)


@pytest.mark.parametrize(
    ("seen", "wait_s"),
    [
        (ErrorSeen(retry_delay="34s"), 34),
        (ErrorSeen(retry_delay="34.074824224s"), 34.074824224),
        (ErrorSeen(message="Please retry in 10h17m31.5s."), 37051.5),
        (ErrorSeen(message="Rate limit reached. Please try again in 6m0s. Visit"), 360),
        (ErrorSeen(message="Please try again in 20ms"), 1),
        (ErrorSeen(message="Please retry after 12 seconds."), 12),
        (ErrorSeen(message="try again in about 3 minutes"), 180),
        (ErrorSeen(message="Please try again in 7.66s. Need more tokens?"), 7.66),
        (ErrorSeen(message="Please try again in a while"), None),
        (ErrorSeen(message="try again in 5 models"), None),
        (ErrorSeen(retry_delay="-4s"), None),
    ],
)
def test_hints_in_the_body(seen: ErrorSeen, wait_s: float | None) -> None:
    """A delay in the error object or in its words is read too."""
    assert wait_s == read_retry_after({}, seen)


def test_the_limit_is_a_setting() -> None:
    """The longest wait is the one configured."""
    assert 60 == read_retry_after({"retry-after": "9000"}, limits=Limits(retry_after_max_s=60))


@given(st.dictionaries(st.sampled_from(["retry-after", "date", "x-ratelimit-reset-tokens"]), st.text()), st.text())
def test_any_text_is_read(headers: dict[str, str], message: str) -> None:
    """Whatever stands there, the wait is nothing or between 1 s and the limit (S27)."""
    wait_s = read_retry_after(headers, ErrorSeen(message=message, retry_delay=message))
    assert wait_s is None or 1 <= wait_s <= Limits().retry_after_max_s
