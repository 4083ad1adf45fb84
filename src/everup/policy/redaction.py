"""
The one function that takes keys out of text.

Lives here: the patterns of things that look like credentials. Must not: anything that knows where a text came
from. Called by `policy.classify` for provider messages and by `observe` for everything that is told.
"""

from __future__ import annotations

import re

MASK = "***"

NAMED = (
    r"(?:x-api-key|api[-_ ]?key|apikey|x-goog-api-key|ocp-apim-subscription-key|access[-_]?token|refresh[-_]?token"
    r"|id[-_]?token|auth[-_]?token|client[-_]?secret|aws_secret_access_key|secret[-_]?key|secret|passwd|password"
    r"|x-amz-signature|x-amz-security-token|signature|sig|subscription-key|private[-_]?key|set-cookie|cookie)"
)
"""Names whose value is a secret, whatever it looks like."""

PREFIXED = (
    r"(?:sk|pk|rk)[-_][A-Za-z0-9*_\-]{6,}",
    r"(?:eu|fw|r8|pplx|jina|voyage|tgp|nvapi|csk|co|dop|vck|key|glpat|together|xai)[-_][A-Za-z0-9_\-]{14,}",
    r"(?:gsk|hf|ghp|gho|ghu|ghs|ghr|github_pat|npm|pypi|shpat|lin_api|ntn|dapi|figd)[-_][A-Za-z0-9_\-]{10,}",
    r"AIza[A-Za-z0-9_\-]{20,}",
    r"ya29\.[A-Za-z0-9_\-]{10,}",
    r"(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[A-Z0-9]{12,}",
    r"xox[abeoprs]-[A-Za-z0-9\-]{8,}",
    r"SG\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}",
    r"eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)?",
    r"ABSK[A-Za-z0-9+/=]{20,}",
)
"""Keys that say by their first letters what they are."""

SECRETS = re.compile(
    r"(?P<pem>-----BEGIN [A-Z0-9 ]{0,40}-----[^\"-]*(?:-(?!----)[^\"-]*)*(?:-----END [A-Z0-9 ]{0,40}-----)?)"
    r"|(?P<scheme>\b(?:bearer|basic|digest)[ \t]+)(?=[^\s\"']*[0-9+/=_.\-])[A-Za-z0-9+/=_.~\-]{8,}"
    r"|(?P<url>\b[a-z][a-z0-9+.\-]{1,20}://)[^\s/@\"'?#]{1,400}@"
    r"|(?P<named>\b" + NAMED + r"[\"']?(?:\s?[:=]\s?|%3D)[\"']?)(?!(?:bearer|basic)\s)[^\s\"',;&}\\]{4,}"
    r"|(?P<said>\b(?:api[-_ ]?)?(?:key|token|credential)s?"
    r"(?: (?:you )?(?:provided|supplied|given|used|was|is)){1,2}:? ?[\"'`]?)"
    r"(?=[^\s\"']*[0-9\-_*])[^\s\"'`,;&}\\]{6,}"
    r"|(?P<query>[?&](?:key|token|code|auth|api)=)[^\s\"'&#\\]{4,}"
    r"|(?<![A-Za-z0-9])(?:" + "|".join(PREFIXED) + r")"
    r"|(?<![A-Za-z0-9+/_\-])(?=[A-Za-z]{0,63}[0-9])[A-Fa-f0-9]{32,}(?![A-Za-z0-9+/_\-])",
    re.IGNORECASE,
)


def hide(found: re.Match[str]) -> str:
    """Return what stays of a secret: the words before it, then a mask."""
    kind = found.lastgroup
    if kind is None or kind == "pem":
        return MASK
    return f"{found[kind]}{MASK}{'@' if kind == 'url' else ''}"


def redact(text: str) -> str:
    """Return the text with everything that looks like a credential masked."""
    return SECRETS.sub(hide, text)
