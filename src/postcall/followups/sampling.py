"""Values to show a message with: what recent calls really held, else what an input's name suggests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from postcall.actions.examples import value_for
from postcall.actions.models import Action, Attachment
from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.followups.values import as_text, find
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

_LAST_FOLLOW_UPS: Final = 20
_LAST_CALLS: Final = 10
_LONGEST: Final = 120


@dataclass(frozen=True)
class Sample:
    """`real`: out of a call, or bound as it stands; else made up."""

    value: str
    real: bool


def samples_for(
    workspace: Workspace, action: Action | None, names: Sequence[str], business: str = ""
) -> dict[str, Sample]:
    """A value for each of `names`: of the action's last texts, else of a fixed binding, else of a variable of that
    name in its agents' last calls, else a believable one; `business` where a name asks for one."""
    found = _real_values(workspace, action, names) if action is not None and names else {}
    return {
        name: Sample(found[name], real=True) if name in found else Sample(value_for(name, business), real=False)
        for name in names
    }


def _real_values(workspace: Workspace, action: Action, names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for values in (_of_texts(workspace, action), _fixed(action), _of_calls(workspace, action, names)):
        for name, value in values:
            if name in names and value:
                found.setdefault(name, value[:_LONGEST])
        if len(found) == len(names):
            break
    return found


def _of_texts(workspace: Workspace, action: Action) -> Iterable[tuple[str, str]]:
    rows = within(workspace, FollowUp).filter(action=action).exclude(inputs={}).order_by("-pk")
    for inputs in rows.values_list("inputs", flat=True)[:_LAST_FOLLOW_UPS]:
        for name, filled in inputs.items():
            if isinstance(filled, Mapping) and filled.get("value"):
                yield name, str(filled["value"])


def _fixed(action: Action) -> Iterable[tuple[str, str]]:
    for inputs in Attachment.objects.filter(action=action, deleted_at=None).values_list("inputs", flat=True):
        for name, binding in inputs.items():
            if isinstance(binding, Mapping) and binding.get("from") == "fixed":
                value = as_text(binding.get("value"))
                if isinstance(value, str):
                    yield name, value


def _of_calls(workspace: Workspace, action: Action, names: Sequence[str]) -> Iterable[tuple[str, str]]:
    agents = Attachment.objects.filter(action=action, deleted_at=None).values("agent")
    calls = within(workspace, Call).filter(agent__in=agents).order_by("-pk")
    for variables in calls.values_list("variables", flat=True)[:_LAST_CALLS]:
        yield from _by_name(variables, names)


def _by_name(variables: Mapping[str, Any], names: Sequence[str]) -> Iterable[tuple[str, str]]:
    for namespace in ("collected", "extracted", "pre_call"):
        for name in names:
            value = as_text(find(variables.get(namespace, {}), name))
            if isinstance(value, str):
                yield name, value
