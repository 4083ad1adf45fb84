"""
Routes, candidates and plans: what a request may be answered by.

What must not live here: how one is chosen (see `policy.plan`, `policy.resolve`). Built by `config`,
ordered by `policy.plan`, walked by the engine.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec import field as with_default
from msgspec.structs import force_setattr

from everup.shapes.secret import SecretRef, SourceKind

EMBEDDED_URL = "embedded:"
"""The base URL of the embedded model: its real address is known only while it runs."""


class CacheMode(StrEnum):
    """Who marks what an Anthropic provider should cache."""

    AUTO = "auto"
    """everup, where it pays: system and tools, and the last turn; a client's own marks always stay."""
    CLIENT = "client"
    """Only the client."""


class ModelRef(Struct, frozen=True, order=True):
    """
    A model of a provider, written `provider/model`.

    The model may hold further slashes.
    """

    provider: str
    model: str

    def __str__(self) -> str:
        """Return the written form."""
        return f"{self.provider}/{self.model}"


class Caps(Struct, frozen=True):
    """What a model can do; None is unknown and counts as able."""

    tools: bool | None = None
    images: bool | None = None
    structured: bool | None = None
    reasoning: bool | None = None


class Price(Struct, frozen=True):
    """US dollars per million tokens; None where unknown."""

    input_usd: float | None = None
    output_usd: float | None = None
    cached_usd: float | None = None


class ClockOverrides(Struct, frozen=True, kw_only=True):
    """
    Seconds that a route or a model sets instead of the defaults in `Limits`.

    None keeps the default.
    """

    deadline_s: float | None = None
    patience_s: float | None = None
    first_event_s: float | None = None
    opening_s: float | None = None
    stall_s: float | None = None
    answer_s: float | None = None


class Profile(Struct, frozen=True, kw_only=True):
    """
    One credential of a provider.

    Lower `priority` is asked first, equal ones take turns.
    """

    id: str
    provider: str
    source: SecretRef = SecretRef(SourceKind.KEYLESS)
    priority: int = 0
    concurrency: int | None = None


class Provider(Struct, frozen=True, kw_only=True):
    """
    An upstream endpoint that speaks a wire.

    `base_url` has no trailing slash and includes the version path (`https://host/v1`). `is_local` means local
    by kind (ruling 2), not by address. The embedded model has the base URL `embedded:`, found out at run time.
    """

    name: str
    wire: str
    base_url: str
    is_local: bool = False
    auth_header: str = "authorization"
    auth_prefix: str = "Bearer "
    profiles: tuple[Profile, ...] = ()
    caps: Caps = Caps()
    concurrency: int | None = None
    queue_max: int | None = None
    quirks: frozenset[str] = frozenset()
    ca_file: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    cache: CacheMode = CacheMode.AUTO


class Model(Struct, frozen=True, kw_only=True):
    """
    What is known or configured about one model of one provider.

    `params` are JSON values by name.
    """

    ref: ModelRef
    caps: Caps = Caps()
    context_tokens_max: int | None = None
    output_tokens_max: int | None = None
    price: Price = Price()
    params: dict[str, object] = with_default(default_factory=dict)
    clocks: ClockOverrides = ClockOverrides()
    name: str = ""
    """`provider/model`, written once: it is asked for many times in each request."""

    def __post_init__(self) -> None:
        """Write the name."""
        force_setattr(self, "name", str(self.ref))


class Route(Struct, frozen=True, kw_only=True):
    """
    A named chain of models a client may ask for.

    `attempts_max` None means candidates + 1.
    """

    name: str
    chain: tuple[ModelRef, ...]
    clocks: ClockOverrides = ClockOverrides()
    attempts_max: int | None = None
    is_asked_by_name: bool = False
    """True for a single model asked for by its own name: only then may a missing model be a 404 (ruling 5)."""


class Candidate(Struct, frozen=True, kw_only=True):
    """A model on one profile of one endpoint: what one attempt tries."""

    index: int
    """Place in the plan, from 0."""
    provider: Provider
    model: Model
    profile: Profile

    @property
    def name(self) -> str:
        """Return `provider/model`."""
        return self.model.name


class Needs(Struct, frozen=True, kw_only=True):
    """What a request needs of a model; token counts are estimates from bytes."""

    tools: bool = False
    images: bool = False
    structured: bool = False
    reasoning: bool = False
    prompt_tokens: int = 0
    output_tokens: int | None = None
    """The client's own max_tokens, None where absent."""


class Skip(Struct, frozen=True):
    """
    A candidate left out of a plan.

    Its name and the reason in words ("no tools", "window 4,096 < 9,031").
    """

    name: str
    reason: str


class Plan(Struct, frozen=True, kw_only=True):
    """
    The ordered candidates of one request and what they may take.

    `deadline_mono_s` is on the loop's clock. `first_model` is the route's first model that is able at all
    (patience belongs to it).
    """

    route: Route
    candidates: tuple[Candidate, ...]
    skipped: tuple[Skip, ...]
    attempts_max: int
    deadline_mono_s: float
    patience_s: float
