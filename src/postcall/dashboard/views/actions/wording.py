"""The form of an action: what it holds, what it says, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from postcall.actions.bindings import Binding
from postcall.actions.editing import ActionContent
from postcall.actions.examples import EXAMPLES
from postcall.actions.models import Action, Revision
from postcall.dashboard.attached import FACTS, FROM
from postcall.dashboard.forms import Form
from postcall.dashboard.templatetags.postcall import spell_seconds
from postcall.dashboard.verbs.actions import Mend
from postcall.shapes import Strict

URGENCIES: Final = {"now": "At once, at any hour", "window": "Within the workspace’s sending hours"}
_LAPSES: Final = (3_600, 4 * 3_600, 86_400, 2 * 86_400, 7 * 86_400)
# Where the value of an input comes from that a saved message is the first to have.
ORIGINS: Final = {
    "ask": FROM["ask"],
    "collected": FROM["collected"],
    "fixed": FROM["fixed"],
    "business": FACTS["business_name"],
}
_VALUE_OF: Final = {"ask": "description", "collected": "name", "fixed": "value"}


class _Bindings(Strict):
    inputs: dict[str, Binding]


def blank() -> dict[str, str]:
    return {"urgency": "now", "send_within_s": "86400", "against": "call"}


def started(key: str) -> dict[str, str]:
    """The form with one of the examples filled in; without one where there is none of that name."""
    example = next((each for each in EXAMPLES if each.key == key), None)
    if example is None:
        return blank()
    return {**blank(), "name": example.name, "condition": example.condition, "message": example.message}


def written(action: Action, revision: Revision) -> dict[str, str]:
    """The form as the action stands, with the words of `revision`."""
    return {
        **blank(),
        "name": action.name,
        "condition": revision.condition,
        "always": "on" if revision.always else "",
        "message": revision.message,
        "urgency": revision.urgency,
        "send_within_s": str(revision.send_within_s),
        "seen": action.updated_at.isoformat(),
    }


def lapses(typed: str) -> dict[str, str]:
    """The choices of when a text lapses, with the one that is typed."""
    seconds = set(_LAPSES)
    if typed.isascii() and typed.isdecimal() and len(typed) < 9:
        seconds.add(int(typed))
    return {str(each): spell_seconds(each) for each in sorted(seconds)}


def seen(form: Form) -> datetime | None:
    """When the action was changed last before the editor read it; None: the form does not say."""
    try:
        moment = datetime.fromisoformat(form["seen"])
    except ValueError:
        return None
    return moment if timezone.is_aware(moment) else None


def content(form: Form) -> ActionContent | None:
    """What the form says; None where it makes no action, with the problems noted. A condition beside “after every
    connected call” is not looked at."""
    always = form.ticked("always")
    if not form["name"]:
        form.refuse("name", "Give it a name, by which you find it again")
    if not form["condition"] and not always:
        form.refuse("condition", "Say when it goes out, or switch on “After every connected call”")
    if not form["message"]:
        form.refuse("message", "Write the text that goes out")
    within = form["send_within_s"]
    data: dict[str, Any] = {
        "name": form["name"],
        "message": form["message"],
        "condition": None if always else form["condition"],
        "always": always,
        "urgency": form["urgency"],
        "send_within_s": int(within) if within.isascii() and within.isdecimal() and len(within) < 10 else within,
    }
    made = form.checked(ActionContent, data, {"": "condition"})
    return made if form.is_well else None


def mend(form: Form, names: Iterable[str]) -> Mend | None:
    """What the form says of inputs that agents lack; None where that makes no sense, with the problems noted."""
    if form["mend"] == "off":
        return Mend(switch_off=True)
    asked = [name for name in names if form[f"bind-{name}-from"] in ORIGINS]
    fields: dict[str, str] = {}
    for name in asked:
        fields |= {f"inputs.{name}.fallback": f"bind-{name}-fallback", f"inputs.{name}": f"bind-{name}-value"}
        if form[f"bind-{name}-from"] != "business" and not form[f"bind-{name}-value"]:
            form.refuse(f"bind-{name}-value", f"Say where <{name}> comes from")
    made = form.checked(_Bindings, {"inputs": {name: _binding(form, name) for name in asked}}, fields)
    return Mend(made.inputs) if made and form.is_well else None


def _binding(form: Form, name: str) -> Mapping[str, str]:
    origin, value, fallback = (form[f"bind-{name}-{part}"] for part in ("from", "value", "fallback"))
    found = {"from": "system", "name": "business_name"} if origin == "business" else {"from": origin}
    if key := _VALUE_OF.get(origin):
        found[key] = value
    if fallback and origin != "fixed":
        found["fallback"] = fallback
    return found
