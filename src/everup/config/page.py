"""
`docs/config.md`: the settings as a page, made from the schema and the limits.

What must not live here: a setting that is not in the schema. A test compares the page in the clone with
`render_page()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct

from everup.config.limit_words import LIMIT_WORDS
from everup.config.schema import (
    ClientTable,
    ClockTable,
    ModelTable,
    PriceTable,
    ProfileTable,
    ProviderTable,
    RouteTable,
    ServerTable,
)
from everup.config.show import toml
from everup.shapes.limits import Limits

if TYPE_CHECKING:
    from msgspec.structs import FieldInfo

TYPES = {str: "text", int: "whole number", float: "number", bool: "true/false", list: "list", dict: "table"}
SECTIONS: tuple[tuple[str, str, type[Struct]], ...] = (
    (
        "`[server]`",
        "Any fault in this table leaves all of it at its defaults, so that nothing opens by accident.",
        ServerTable,
    ),
    ("`[providers.NAME]`", "A known name (`docs/providers.md`) needs no setting at all.", ProviderTable),
    ("`[[providers.NAME.profiles]]`", "", ProfileTable),
    ('`[models."provider/model"]`', "Only where you know better, or want parameters sent.", ModelTable),
    ("`price` of a model", "", PriceTable),
    ("`clocks` of a model", "Seconds.", ClockTable),
    ("`[routes.NAME]`", "Times are seconds.", RouteTable),
    ("`[clients.NAME]`", "everup's own key always works, and may do everything.", ClientTable),
)
UNITS = (("_per_s", "per second"), ("_s", "s"), ("_bytes_max", "bytes"), ("_bytes", "bytes"))
INTRO = """\
# Settings

everup reads `--config FILE`, else `everup.toml` in its home (`EVERUP_HOME`, else the platform's folder for state).
Without a file it uses what it finds on the machine. `everup config check` says what is wrong with a file, with line
and column, and warns of keys that cannot be had in that terminal; `everup config show --defaults` prints every setting
that is in force. Neither shows a secret.

A fault switches off the entry it is in and nothing else: a bad provider, route or client is left out, a bad limit
keeps its default, a bad link of a chain is skipped. Unknown settings are warned of and ignored.

```toml
[providers.openai]                      # a known name: address and key variable (OPENAI_API_KEY) come with it

[providers.mine]
base_url = "http://10.0.0.5:8000/v1"
key = "file:mine.key"                   # relative to this file

[routes.default]
try = ["openai/gpt-5-mini", "mine/qwen3"]
deadline = 120

[aliases]
"gpt-*" = "default"
```

## Keys

`env:NAME` reads an environment variable, `file:PATH` a file with nothing but the key in it (`~` and paths relative to
the config file work), `none` sends no key, anything else is the key itself (it works, with a warning). A key that
cannot be had puts its profile out and nothing else. A known provider without `key` and `profiles` uses its own
variable, but only at its own address; a local server is asked without a key.

## Names

Names of providers, profiles, routes and clients are 1 to 64 letters, digits, `.`, `_` or `-`. A model is written
`provider/model`; the part after the first slash is the provider's own id and may hold further slashes. A known
provider that a chain names needs no table. What a client asks for is looked up in this order: a route, an alias of
exactly that name, `provider/model`, a bare id that exactly one provider has, an alias pattern (`*`, `?`, `[...]`) in
the file's order. Otherwise the answer is 404 with the nearest names.
"""
ALIASES = """\
## `[aliases]`

`"name or pattern" = "route or model"`. An alias never leads to another alias.
"""
LIMITS_INTRO = """\
## `[limits]`

Every bound everup keeps, by name. Numbers must be greater than 0, except where 0 means "do not wait".
"""


def render_page() -> str:
    """Return the whole page."""
    parts = [INTRO]
    for title, text, schema in SECTIONS:
        parts.append("\n\n".join(filter(None, (f"## {title}", text, table_of(schema)))) + "\n")
    return "\n".join([*parts, ALIASES, LIMITS_INTRO, limits_table()])


def table_of(schema: type[Struct]) -> str:
    """Return one table's settings, one a row."""
    rows = ["| setting | type | default | |", "| --- | --- | --- | --- |"]
    for field in msgspec.structs.fields(schema):
        kind, bounds, words = facts(field.type)
        rows.append(f"| `{field.encode_name}` | {kind}{bounds} | {default_of(field)} | {words} |")
    return "\n".join(rows)


def facts(annotation: object) -> tuple[str, str, str]:
    """Return a setting's type in words, its bounds, and its description."""
    kinds: list[str] = []
    bounds = words = ""
    for part in flat(annotation):
        if isinstance(part, Meta):
            words = part.description or words
            bounds = bounds_of(part) or bounds
        elif part is not type(None):
            name = TYPES[get_origin(part) or part]  # type: ignore[index]  # a test renders every field
            kinds.append(name)
    return " or ".join(kinds), bounds, words


def flat(annotation: object) -> list[object]:
    """Return the types and notes inside an annotation."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return [*flat(arguments[0]), *arguments[1:]]
    if get_origin(annotation) in {list, dict} or not arguments:
        return [annotation]
    return [inner for argument in arguments for inner in flat(argument)]


def bounds_of(meta: Meta) -> str:
    """Return a lower bound in words."""
    if meta.gt is not None:
        return f" > {meta.gt:g}"
    return f" ≥ {meta.ge:g}" if meta.ge is not None else ""


def default_of(field: FieldInfo) -> str:
    """Return a setting's default as TOML, or that it must be set."""
    value = field.default
    if field.default_factory is not NODEFAULT:
        value = field.default_factory()
    if value is NODEFAULT:
        return "(must be set)"
    return "" if value is None else f"`{toml(value)}`"


def limits_table() -> str:
    """Return the limits, one a row."""
    rows = ["| limit | default | unit | |", "| --- | --- | --- | --- |"]
    for field in msgspec.structs.fields(Limits):
        unit = next((word for ending, word in UNITS if field.name.endswith(ending)), "")
        rows.append(f"| `{field.name}` | `{toml(field.default)}` | {unit} | {LIMIT_WORDS[field.name]} |")
    return "\n".join(rows) + "\n"
