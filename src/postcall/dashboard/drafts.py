"""What an action's words will look like on a phone, and what they cost, before anybody saves them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from django.http import QueryDict

from postcall.actions import hints
from postcall.actions.message import ADVISED_LENGTH, MAX_LENGTH, PLACEHOLDER, inputs_of
from postcall.actions.models import Action
from postcall.agents.models import Agent
from postcall.dashboard.access import Visit
from postcall.followups.compose import in_place, length_of
from postcall.followups.sampling import Sample, samples_for
from postcall.messages.models import SendingAccount
from postcall.messages.prices import Estimate, estimate
from postcall.messages.segments import GSM_BASIC, GSM_EXTENSION, Segments, count, plain

_SHOWN_CULPRITS: Final = 5
# Characters that nobody sees, by the names under which they can be spoken of.
_INVISIBLE: Final = {
    "\t": "tab", "\u00a0": "non-breaking space", "\u00ad": "soft hyphen", "\u200b": "zero-width space",
    "\u200d": "zero-width joiner", "\u202f": "narrow non-breaking space", "\u2060": "word joiner",
    "\ufe0f": "emoji variation mark", "\ufeff": "byte order mark",
}  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A run of the filled text. `culprit`: these characters force the dearer encoding."""

    text: str
    filled: bool
    culprit: bool


@dataclass(frozen=True)
class Mend:
    """What one click puts into a field of the form: `value` is all of it. `shown`: in words beside the button."""

    field: Literal["message", "condition", "always"]
    value: str
    button: str
    shown: str = ""


@dataclass(frozen=True)
class Hint:
    tone: Literal["good", "wait", "bad"]
    text: str
    mends: Sequence[Mend] = ()


@dataclass(frozen=True)
class Preview:
    """A draft as the phone will show it, its inputs filled with samples."""

    message: str
    body: str
    samples: Mapping[str, Sample]
    pieces: Sequence[Piece]
    hints: Sequence[Hint]
    segments: Segments
    price: Estimate | None
    sender: str
    advised: int = ADVISED_LENGTH

    @property
    def characters(self) -> int:
        return length_of(self.body)

    @property
    def is_long(self) -> bool:
        return self.characters > ADVISED_LENGTH

    @property
    def shown_length(self) -> int:
        """The bar's, which ends where the advice does."""
        return min(self.characters, ADVISED_LENGTH)

    @property
    def capacity(self) -> int:
        return self.segments.per_segment * max(1, self.segments.count)

    @property
    def culprits(self) -> list[str]:
        return [_called(char) for char in forcing(self.body)[:_SHOWN_CULPRITS]]

    @property
    def plain_count(self) -> int:
        """The segments that it would take in plain characters."""
        return count(plain(self.body)).count

    @property
    def made_up(self) -> bool:
        return any(not sample.real for sample in self.samples.values())

    @property
    def all_made_up(self) -> bool:
        return not any(sample.real for sample in self.samples.values())


def preview(visit: Visit, action: Action | None, message: str, condition: str, *, always: bool) -> Preview:
    """The draft as it stands, with values of the calls of the agents that use the action."""
    agents = _agents(visit, action)
    businesses = list(dict.fromkeys(agent.business_name for agent in agents if agent.business_name))
    names = inputs_of(message)
    samples = samples_for(visit.workspace, action, names, businesses[0] if businesses else "")
    pieces = list(_pieces(message, samples))
    body = "".join(piece.text for piece in pieces)
    segments = count(body)
    draft = hints.Draft(message, condition, always, businesses)
    return Preview(
        message=message,
        body=body,
        samples=samples,
        pieces=pieces,
        hints=_hints(draft, body, segments),
        segments=segments,
        price=estimate(visit.workspace, segments.count, _country(agents)) if body else None,
        sender=_sender(visit, agents),
    )


def typed_preview(visit: Visit, action: Action | None, typed: QueryDict) -> Preview:
    """Of what a form holds at this moment."""
    message = typed.get("message", "").replace("\r\n", "\n").strip()
    return preview(visit, action, message, typed.get("condition", "").strip(), always=bool(typed.get("always")))


def forcing(body: str) -> list[str]:
    """The distinct characters that plain SMS lacks, in their order."""
    return list(dict.fromkeys(char for char in body if char not in GSM_BASIC and char not in GSM_EXTENSION))


def _agents(visit: Visit, action: Action | None) -> list[Agent]:
    """Those that use the action; where nobody does yet, whoever may."""
    living = visit.rows(Agent).filter(deleted_at=None).order_by("pk")
    using = living.filter(attachments__action=action, attachments__deleted_at=None).distinct() if action else None
    return list(using or living)


def _country(agents: Sequence[Agent]) -> str:
    return next((country for agent in agents if (country := agent.locale.rpartition("-")[2].upper())), "US")


def _sender(visit: Visit, agents: Sequence[Agent]) -> str:
    own = next((agent.from_number for agent in agents if agent.from_number), "")
    sending = None if own else visit.rows(SendingAccount).select_related("account").first()
    return own or (sending.account.from_number if sending else "")


def _pieces(message: str, samples: Mapping[str, Sample]) -> Iterator[Piece]:
    last = 0
    for found in PLACEHOLDER.finditer(message):
        yield from _marked(message[last : found.start()], filled=False)
        yield from _marked(in_place(samples[found[1]].value, message[found.end() :]), filled=True)
        last = found.end()
    yield from _marked(message[last:], filled=False)


def _marked(text: str, *, filled: bool) -> Iterator[Piece]:
    for culprit, run in groupby(text, lambda char: char not in GSM_BASIC and char not in GSM_EXTENSION):
        yield Piece("".join(run), filled, culprit)


def _called(char: str) -> str:
    return _INVISIBLE.get(char, char)


def _hints(draft: hints.Draft, body: str, segments: Segments) -> list[Hint]:
    if not draft.message:
        return [hint for hint in _warned(draft) if any(mend.field != "message" for mend in hint.mends)]
    found = [*_about_characters(draft.message, body, segments), *_about_length(body)]
    return [*found, *_warned(draft), *(Hint("good", text) for text in hints.praise_for(draft))]


def _warned(draft: hints.Draft) -> list[Hint]:
    return [
        Hint("wait", _said(warning), _mends(warning))
        for warning in hints.warnings_in(draft)
        if warning.code != "long"  # counted here as it will be sent, not as it is written
    ]


def _mends(warning: hints.Warning) -> list[Mend]:
    if warning.field == "message":
        return [Mend("message", warning.suggestion, "Correct it")] if warning.suggestion else []
    better = [each for each in (warning.suggestion, *warning.alternatives) if each]
    every_call = [Mend("always", "on", "After every call")] if warning.code == "every_call" else []
    return [*every_call, *(Mend("condition", words, "Use this", words) for words in better)]


def _about_characters(message: str, body: str, segments: Segments) -> Iterator[Hint]:
    if segments.encoding == "GSM-7":
        return
    named = [_called(char) for char in forcing(body)]
    who = ", ".join(named[:_SHOWN_CULPRITS]) + (" and more" if len(named) > _SHOWN_CULPRITS else "")
    verb = "forces" if len(named) == 1 else "force"
    fewer = count(plain(body)).count
    cost = f": {_segments(segments.count)} in place of {fewer}" if fewer < segments.count else ""
    mended = plain(message)
    helps = mended != message and len(forcing(mended)) < len(forcing(message))
    yield Hint(
        "wait",
        f"{who} {verb} UCS-2, in which a segment holds 70 characters{cost}.",
        [Mend("message", mended, "Write it plainly")] if helps else [],
    )


def _about_length(body: str) -> Iterator[Hint]:
    length = length_of(body)
    if length > MAX_LENGTH:
        yield Hint("bad", f"{length:,} characters: a text may hold {MAX_LENGTH:,}, so this one would be held.")
    elif length > ADVISED_LENGTH:
        yield Hint("wait", f"Longer than {ADVISED_LENGTH} characters: longer texts may be split and cost more.")


def _segments(number: int) -> str:
    return f"{number} segment{'' if number == 1 else 's'}"


def _said(warning: hints.Warning) -> str:
    """In a sentence; the corrected text is what its button puts in."""
    text = warning.message.partition(" Corrected: ")[0] if warning.suggestion else warning.message
    return text if text.endswith((".", "!", "?")) else f"{text}."
