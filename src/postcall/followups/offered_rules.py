"""Rules that decide surely what a judge would have to read: offered from what an agent's calls really held."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from postcall.actions.bindings import Rule, dump
from postcall.actions.models import Action
from postcall.agents.models import Agent
from postcall.calls.held_values import LIKE_A_KEY, LONGEST, LOOKED_AT, Namespace, is_secret, leaves_of, words_of
from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.followups.rules import holds
from postcall.followups.snapshot import AgentAsItWas
from postcall.followups.values import named
from postcall.workspaces.scope import within

MOST: Final = 6
# A status has few values; what has many is somebody's name, or a day.
_MOST_VALUES: Final = 4
_MOST_OF_A_TOOL: Final = 3
_LEAST_COMPARED: Final = 5
_AGREES: Final = 0.8
_YES: Final = frozenset(
    {"true", "yes", "ok", "success", "succeeded", "successful", "booked", "confirmed", "completed", "complete",
     "done", "created", "scheduled", "accepted", "approved", "paid", "1", "sent", "reserved", "ordered",
     "qualified"}
)  # fmt: skip
_NO: Final = frozenset(
    {"false", "no", "error", "failed", "failure", "cancelled", "canceled", "declined", "rejected", "none", "0",
     "unavailable", "denied", "unsuccessful"}
)  # fmt: skip
_PROOF: Final = frozenset({"reference", "ref", "confirmation", "id", "code", "booking", "order", "ticket"})
# Words that stand for one another where a tool is named by one and the condition speaks the other.
_ALIKE: Final = (
    {"book", "reserv", "schedul", "appointment", "appoint", "visit", "slot", "booking", "calendar", "viewing"},
    {"order", "purchas", "buy", "bought", "checkout"},
    {"pay", "paid", "payment", "invoic", "charg"},
    {"cancel", "cancell", "cancelled", "canceled"},
    {"mov", "reschedul", "chang"},
    {"callback", "back"},
    {"price", "quot", "estimat", "cost"},
    {"lead", "qualifi", "interest"},
    {"addres", "direct", "locat"},
    {"complain", "complaint", "escalat"},
    {"transfer", "handoff"},
)
_LOOKS: Final = frozenset({"find", "check", "search", "list", "lookup", "available", "availability", "look"})
_EMPTY: Final = frozenset(
    {"the", "a", "an", "if", "when", "after", "has", "have", "was", "is", "caller", "customer", "call", "they",
     "to", "of", "for", "and", "or", "their", "agent", "with", "in", "on", "it", "s", "get", "data", "user", "who",
     "about"}
)  # fmt: skip


@dataclass(frozen=True)
class OfferedRule:
    """It held in `held` of the latest `calls` calls. `compared` of those were judged for the action; in `agrees` of
    them it said the same as the judge, or as whoever called the verdict right or wrong."""

    rule: Rule
    calls: int
    held: int
    agrees: int = 0
    compared: int = 0

    @property
    def as_json(self) -> dict[str, Any]:
        return dump(self.rule)


@dataclass(frozen=True)
class _Seen:
    """The calls looked at, by id, and of some of them whether the action's condition was met."""

    variables: Mapping[UUID, Mapping[str, Any]]
    met: Mapping[UUID, bool]


def offered_rules(agent: Agent, action: Action | None = None) -> list[OfferedRule]:
    """At most MOST, those first that have most to do with the action's condition. What held in every call or in
    none decides nothing and is not offered; nor is anything under a name for secrets. Two queries."""
    seen = _seen(agent, action)
    zone = AgentAsItWas(name=agent.name, timezone=agent.timezone).zone
    wanted = _concepts(_words_about(action))
    ranked: list[tuple[float, OfferedRule, frozenset[UUID]]] = []
    for rule in _candidates(seen):
        passed = frozenset(
            pk
            for pk, held in seen.variables.items()
            if holds(rule, named(held, rule.from_, rule.name, rule.action), zone)
        )
        if not passed or len(passed) == len(seen.variables):
            continue
        agrees = sum((pk in passed) == met for pk, met in seen.met.items())
        offer = OfferedRule(rule, len(seen.variables), len(passed), agrees, len(seen.met))
        if score := _score(offer, wanted, seen):
            ranked.append((score, offer, passed))
    ranked.sort(key=lambda each: (-each[0], -each[1].held, str(each[1].as_json)))
    return list(_distinct(ranked))[:MOST]


def _distinct(ranked: Sequence[tuple[float, OfferedRule, frozenset[UUID]]]) -> Iterator[OfferedRule]:
    """Of rules about one tool or namespace that pass the same calls, the best; and of a tool a few."""
    known: set[tuple[str, str | None, frozenset[UUID]]] = set()
    tools: Counter[str | None] = Counter()
    for _, offer, passed in ranked:
        key = (offer.rule.from_, offer.rule.action, passed)
        if key in known or (offer.rule.action and tools[offer.rule.action] == _MOST_OF_A_TOOL):
            continue
        known.add(key)
        tools[offer.rule.action] += 1
        yield offer


def _seen(agent: Agent, action: Action | None) -> _Seen:
    calls = within(agent.workspace_id, Call).filter(agent=agent, forgotten_at=None).order_by("-pk")
    variables = dict(calls.values_list("pk", "variables")[:LOOKED_AT])
    if action is None:
        return _Seen(variables, {})
    rows = within(agent.workspace_id, FollowUp).filter(action=action, call__in=list(variables))
    met = {}
    for call, result, right in rows.values_list("call_id", "result", "feedback_right"):
        if result in ("met", "not_met"):
            met[call] = (result == "met") != (right is False)
    return _Seen(variables, met)


def _candidates(seen: _Seen) -> Iterator[Rule]:
    found: dict[tuple[Namespace, str, str], list[str]] = defaultdict(list)
    for one in seen.variables.values():
        for key, value in dict(leaves_of(one)).items():
            found[key].append(value)
    for (namespace, tool, name), values in found.items():
        if is_secret(tool) or is_secret(name) or len(tool) > 255:
            continue
        about: dict[str, Any] = {
            "from": namespace,
            "name": name,
            **({"action": tool} if namespace == "action_result" else {}),
        }
        if len(values) < len(seen.variables):
            yield Rule.model_validate(about | {"is": "present"})
        for value in _statuses(values):
            yield Rule.model_validate(about | {"is": "equals", "value": value})


def _statuses(values: Sequence[str]) -> list[str]:
    """The values of what takes few; none where they are as many as the calls, or could be a person's."""
    distinct = Counter(" ".join(value.split()) for value in values)
    if len(distinct) > _MOST_VALUES or (len(distinct) == len(values) and not set(distinct) & (_YES | _NO)):
        return []
    return [
        value
        for value in distinct
        if 0 < len(value) <= LONGEST
        and not LIKE_A_KEY.search(value)
        and value.casefold() not in _NO
        and sum(letter.isdigit() for letter in value) < 4
    ]


def _score(offer: OfferedRule, wanted: frozenset[str], seen: _Seen) -> float:
    """How much it has to do with the action; 0: nothing that is known."""
    rule = offer.rule
    named_by = _concepts([*words_of(rule.action or ""), *words_of(rule.name)])
    value = str(rule.value).casefold() if rule.value is not None else ""
    told = _concepts(words_of(value.title()))
    # What a tool looked up, or does of another kind, is no proof of what is asked for.
    beside = {concept for concept in named_by - wanted if concept.startswith("~") or concept in _LOOKS}
    likeness = max(0.0, len(named_by & wanted) + 0.8 * len(told & wanted) - len(beside))
    agreement = offer.agrees / offer.compared if offer.compared >= _LEAST_COMPARED else 0.0
    both = len(set(seen.met.values())) == 2
    if not likeness and not (both and agreement >= _AGREES):
        return 0
    score = likeness + (2 * agreement if both else 0)
    if value in _YES:
        score += 0.5
    if rule.is_ == "present" and rule.action and set(words_of(rule.name)) & _PROOF:
        score += 1
    return score + (0.3 if rule.action else 0)


def _words_about(action: Action | None) -> list[str]:
    revision = action.revision if action else None
    if action is None or revision is None:
        return []
    # Where nothing is judged, the action's name says best what it is about.
    return words_of((revision.condition or action.name).title())


def _concepts(words: Sequence[str]) -> frozenset[str]:
    stems = {_stem(word) for word in words if word not in _EMPTY and not word.isdigit()}
    groups = {f"~{n}" for n, alike in enumerate(_ALIKE) if stems & alike}
    known = {stem for alike in _ALIKE for stem in alike}
    return frozenset(groups | (stems - known))


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ies", "ied", "ions", "ion", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word
