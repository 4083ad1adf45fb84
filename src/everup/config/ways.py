"""
Routes and aliases: tables to shapes.

What must not live here: resolving a name a client asks for (see `policy.resolve`). Called by `build`.
"""

from __future__ import annotations

from everup.config.problem import Report, Where, printable
from everup.config.schema import ClockTable, RouteTable, Table
from everup.config.tables import read_table, word_for
from everup.config.upstreams import absent, clock_overrides
from everup.config.words import MODEL_MAX, model_fault, name_fault, read_ref
from everup.shapes.route import ClockOverrides, ModelRef, Provider, Route


def build_route(name: str, raw: object, providers: dict[str, Provider], routes: Table, report: Report) -> Route | None:
    """
    Return one route, or None after reporting why it is off.

    A bad link of the chain is only left out.
    """
    where: Where = ("routes", name)
    if reason := name_fault(name):
        report.error(where, reason)
        return None
    table = read_table(RouteTable, raw, where, report)
    if table is None:
        return None
    chain: dict[ModelRef, None] = {}
    for n, text in enumerate(table.try_):
        ref = build_link(text, providers, routes, (*where, "try", n), report)
        if ref is None:
            continue
        if ref in chain:
            report.warn((*where, "try", n), "named before in this chain; tried once")
        chain[ref] = None
    if not chain:
        report.error((*where, "try"), "no model is left in this chain, so the route is off")
        return None
    return Route(name=name, chain=tuple(chain), clocks=route_clocks(table), attempts_max=table.attempts_max)


def build_link(
    text: str, providers: dict[str, Provider], routes: Table, where: Where, report: Report
) -> ModelRef | None:
    """Return one model of a chain, or None after reporting why it is left out."""
    if text in routes:
        report.error(where, f"`{printable(text)}` is a route; a chain holds only `provider/model`")
        return None
    ref = read_ref(text)
    if ref is None:
        report.error(where, "a chain holds only `provider/model`")
        return None
    if ref.provider not in providers:
        report.error(where, absent(ref.provider, providers))
        return None
    return ref


def route_clocks(table: RouteTable) -> ClockOverrides:
    """Return what a route sets of its clocks."""
    clocks = ClockTable(first_event=table.first_event, opening=table.opening, stall=table.stall, answer=table.answer)
    overrides = clock_overrides(clocks)
    return ClockOverrides(
        deadline_s=table.deadline,
        patience_s=table.patience,
        first_event_s=overrides.first_event_s,
        opening_s=overrides.opening_s,
        stall_s=overrides.stall_s,
        answer_s=overrides.answer_s,
    )


def build_aliases(
    raw: Table, routes: dict[str, Route], providers: dict[str, Provider], report: Report
) -> dict[str, str]:
    """Return every alias that leads somewhere, in the file's order."""
    found = {}
    for name, target in raw.items():
        where: Where = ("aliases", name)
        if not isinstance(target, str):
            report.error(where, f"expected the name of a route or model, got {word_for(target)}")
        elif model_fault(name):
            report.error(where, f"an alias is 1 to {MODEL_MAX} printable characters")
        elif reason := target_fault(target, raw, routes, providers):
            report.error(where, reason)
        else:
            found[name] = target
            if target not in routes and read_ref(target) is None:
                report.warn(where, "leads to no route; it works if exactly one provider has a model of that name")
            if name in routes:
                report.warn(where, "a route has this name and comes first")
    return found


def target_fault(target: str, aliases: Table, routes: dict[str, Route], providers: dict[str, Provider]) -> str:
    """
    Return why an alias leads nowhere.

    Nothing if it leads somewhere, or may once providers are asked.
    """
    if target in routes:
        return ""
    if target in aliases:  # one step only: then there are no circles
        return f"`{printable(target)}` is an alias itself; name the route or model it leads to"
    if model_fault(target):
        return "this names no route and no model"
    provider, slash, _ = target.partition("/")
    if not slash or provider in providers:
        return ""
    return absent(printable(provider), providers)
