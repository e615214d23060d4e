"""The form in which one says how an action is attached: what was saved as it is typed, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from postcall.actions.attaching import MAX_RULES, AttachmentContent
from postcall.actions.bindings import Rule, dump
from postcall.actions.models import Attachment
from postcall.dashboard.attached import FACTS, FROM
from postcall.dashboard.forms import Form

KINDS: Final = {"": "Choose", **FROM}
CHOICE_OF_FACTS: Final = {"": "Choose", **FACTS}
FORMATS: Final = {
    "": "As it is",
    "date": "A day",
    "time": "A time of day",
    "datetime": "A day and time",
    "number": "A number",
    "money": "An amount of money",
}
ALLOWED: Final = {
    "digits": "Long codes of digits",
    "phone": "Phone numbers",
    "url": "Web and mail addresses",
    "line_breaks": "Line breaks",
    "long": "More than 80 characters",
}
RULE_KINDS: Final = {"": "No rule", **{kind: KINDS[kind] for kind in KINDS if kind not in ("", "ask", "fixed")}}
RULE_PARTS: Final = ("from", "action", "name", "is", "value")
# Off until every input says where it comes from, and live from then on; saved as one or the other.
WHEN_MAPPED: Final = "when_mapped"
# By this button's name the form asks for the fields of an input.
UNFOLD: Final = "unfold"
# By this button's name a rule that is offered goes into the next free row; its value is the rule as JSON.
ADD_RULE: Final = "add-rule"
# Blank rows that stand ready where no script adds any.
SPARE_RULES: Final = 2

_RULE: Final = re.compile(r"only_if\.(\d{1,3})\.(?:from|action|name|value)")
UNCOMPARED: Final = ("present", "absent")
# By a binding's `from` and the name of its part there: the name on the page.
_PARTS: Final[dict[str, dict[str, str]]] = {
    "fixed": {"value": "fixed"},
    "collected": {"name": "collected"},
    "extracted": {"name": "extracted"},
    "pre_call": {"name": "pre_call"},
    "system": {"name": "system"},
    "action_result": {"action": "tool", "name": "result"},
    "ask": {"description": "description", "example": "example"},
}
_ASKED: Final = {
    "fixed": "Say which value",
    "collected": "Say which one, such as first_name",
    "extracted": "Say which one, such as appointment_date",
    "pre_call": "Say which one, such as customer_name",
    "system": "Say which fact",
    "tool": "Say which tool, such as create_booking",
    "result": "Say which part of its answer, such as reference",
    "description": "Say in a few words what to read, such as the day and time agreed",
}


def field_of(name: str, part: str) -> str:
    """What a part of an input's binding is called on the page."""
    return f"inputs.{name}.{part}"


def parts_of(kind: str) -> list[str]:
    """The parts that say which value of a kind is meant, by their names on the page."""
    return list(_PARTS.get(kind, {}).values())


def as_typed(attachment: Attachment, inputs: Sequence[str]) -> Form:
    typed = {
        "seen": attachment.updated_at.isoformat(),
        "mode": WHEN_MAPPED if _is_untouched(attachment) and inputs else attachment.mode,
        "on_unclear": attachment.on_unclear,
        "recipient_override": attachment.recipient_override,
    }
    for name in inputs:
        typed |= _binding_as_typed(name, attachment.inputs.get(name) or {})
    for n, rule in enumerate(attachment.only_if):
        parts = {key: _as_text(rule.get(key)) for key in RULE_PARTS}
        typed |= {f"only_if.{n}.{key}": text for key, text in parts.items()}
    return Form(typed)


def _is_untouched(attachment: Attachment) -> bool:
    """Whether nobody has saved anything of it since it was added."""
    age = attachment.updated_at - attachment.created_at
    return attachment.mode == Attachment.Mode.OFF and not attachment.inputs and age.total_seconds() < 1


def _binding_as_typed(name: str, binding: Mapping[str, Any]) -> dict[str, str]:
    kind = binding.get("from", "")
    parts = {shown: _as_text(binding.get(part)) for part, shown in _PARTS.get(kind, {}).items()}
    parts |= {part: _as_text(binding.get(part)) for part in ("fallback", "format", "currency")}
    parts |= {f"allow_{allowed}": "1" for allowed in binding.get("allow", ())}
    return {field_of(name, part): text for part, text in {"from": kind, **parts}.items()}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def content_of(form: Form, attachment: Attachment, inputs: Sequence[str]) -> AttachmentContent | None:
    """What was typed, as the shape; None where something of it makes no sense, which the form then says."""
    bindings = {name: binding for name in inputs if (binding := _binding(form, name, attachment))}
    mode = form["mode"]
    lacking = [name for name in inputs if name not in bindings]
    if mode == WHEN_MAPPED:
        mode = "off" if lacking else "live"
    if lacking and mode != "off":
        refuse_unbound(form, lacking)
    content = form.checked(
        AttachmentContent,
        {
            "action_id": attachment.action_id,
            "mode": mode or None,
            "on_unclear": form["on_unclear"] or "hold",
            "recipient_override": form["recipient_override"] or None,
            "only_if": [_rule(form, n, attachment) for n in _rows_with_rules(form)],
            "inputs": bindings,
        },
        fields_of(form, inputs),
    )
    return content if form.is_well else None


def refuse_unbound(form: Form, names: Sequence[str]) -> None:
    for name in names:
        form.refuse(field_of(name, "from"), f"Say where {name} comes from, then this can be switched on")


def add_rule(form: Form) -> None:
    """Puts the rule that a button offers into the next free row, and keeps all that was typed."""
    try:
        rule = Rule.model_validate_json(form[ADD_RULE])
    except ValidationError:
        return form.refuse("", "That rule cannot be read. Choose another, or type it")
    taken = _rows_with_rules(form)
    if len(taken) >= MAX_RULES:
        return form.refuse("", f"An attachment has {MAX_RULES} rules at most")
    n = next(n for n in range(MAX_RULES + SPARE_RULES) if n not in taken)
    form.typed |= {f"only_if.{n}.{key}": _as_text(value) for key, value in dump(rule).items()}
    return None


def rule_parts(rule: Mapping[str, Any]) -> list[str]:
    """As the fields of a row hold it; without a value where nothing is compared."""
    parts = RULE_PARTS if rule.get("is") not in UNCOMPARED else RULE_PARTS[:-1]
    return [_as_text(rule.get(part)) for part in parts]


def rule_rows(form: Form) -> list[int]:
    """The numbers of the rows that rules are typed into, spare ones included."""
    used = {int(found[1]) for name in form.typed if (found := _RULE.fullmatch(name)) and form[name]}
    return list(range(min(max(used, default=-1) + 1 + SPARE_RULES, MAX_RULES + SPARE_RULES)))


def _rows_with_rules(form: Form) -> list[int]:
    """Those of which anything is typed: half a rule is none, and not thrown away."""
    return [
        n
        for n in rule_rows(form)
        if any(form[f"only_if.{n}.{part}"] for part in ("from", "action", "name", "value"))
    ]


def _binding(form: Form, name: str, attachment: Attachment) -> dict[str, Any] | None:
    kind = form[field_of(name, "from")]
    if kind not in _PARTS:
        _refuse_lone_fallback(form, name, attachment)
        return None
    told: dict[str, Any] = {part: form[field_of(name, shown)] for part, shown in _PARTS[kind].items()}
    _refuse_unsaid(form, name, kind)
    if kind == "fixed":
        return {"from": kind, "value": _as_it_was(told["value"], attachment.inputs.get(name, {}).get("value"))}
    style = form[field_of(name, "format")]
    whole = {
        "from": kind,
        **told,
        "fallback": form[field_of(name, "fallback")] or None,
        "format": style or None,
        "currency": (style == "money" and form[field_of(name, "currency")].upper()) or None,
        "allow": [allowed for allowed in ALLOWED if form.ticked(field_of(name, f"allow_{allowed}"))],
    }
    return {part: value for part, value in whole.items() if value not in (None, [])}


def _refuse_lone_fallback(form: Form, name: str, attachment: Attachment) -> None:
    """One typed just now is not thrown away; one that was saved goes with the binding that is taken away."""
    typed = form[field_of(name, "fallback")]
    if typed and typed != attachment.inputs.get(name, {}).get("fallback"):
        form.refuse(field_of(name, "from"), f"Say where {name} comes from, or empty what stands in for it")


def _refuse_unsaid(form: Form, name: str, kind: str) -> None:
    for shown in _PARTS[kind].values():
        if shown in _ASKED and len(form[field_of(name, shown)]) < (3 if shown == "description" else 1):
            form.refuse(field_of(name, shown), _ASKED[shown])


def _rule(form: Form, n: int, attachment: Attachment) -> dict[str, Any]:
    typed = {key: form[f"only_if.{n}.{key}"] for key in RULE_PARTS}
    if not typed["from"]:
        form.refuse(f"only_if.{n}.from", "Say where the value comes from, or empty the rule")
    if not typed["name"]:
        form.refuse(f"only_if.{n}.name", "Say which value, such as first_name")
    if typed["from"] == "action_result" and not typed["action"]:
        form.refuse(f"only_if.{n}.action", _ASKED["tool"])
    compared = typed["is"] not in UNCOMPARED
    if compared and not typed["value"]:
        form.refuse(f"only_if.{n}.value", "Say what it is compared with")
    rule: dict[str, Any] = {"from": typed["from"], "name": typed["name"], "is": typed["is"]}
    if typed["from"] == "action_result":
        rule["action"] = typed["action"]
    if compared:
        same = (each for each in attachment.only_if if all(each.get(key) == rule[key] for key in rule))
        rule["value"] = _as_it_was(typed["value"], next((each.get("value") for each in same), None))
    return rule


def _as_it_was(typed: str, saved: Any) -> Any:
    """A number that the API saved stays one as long as nobody changes it."""
    return saved if saved is not None and typed == _as_text(saved) else typed


def fields_of(form: Form, inputs: Sequence[str]) -> dict[str, str]:
    """By the path of the shape, the name on the page."""
    names = {}
    for name in inputs:
        kind = form[field_of(name, "from")]
        names[f"inputs.{name}"] = field_of(name, "from")
        names |= {f"inputs.{name}.{part}": field_of(name, shown) for part, shown in _PARTS.get(kind, {}).items()}
    for position, n in enumerate(_rows_with_rules(form)):
        names[f"only_if.{position}"] = f"only_if.{n}.name"
        names |= {
            f"only_if.{position}.{key}": f"only_if.{n}.{key}" for key in ("from", "action", "name", "is", "value")
        }
    return names
