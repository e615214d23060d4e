"""Reading payloads that are here already, in a file or stored: by their kind, without a signature."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from postcall.sources.ended_call import EndedCall
from postcall.sources.kind import Addition, Ignored, Unreadable
from postcall.sources.kinds import KINDS
from postcall.sources.reading import NotJson, errors_of, read_json
from postcall.sources.told import ToldCall

# What comes by POST /calls is of no platform: it has our own form.
API: Final = "api"


def read_payload(kind: str, body: bytes) -> EndedCall | Addition | Ignored:
    """What a payload of the kind says; `api` is the form of POST /calls. Raises Unreadable, also for a kind that
    this Postcall does not know."""
    if kind == API:
        return _own(body)
    if platform := KINDS.get(kind):
        return platform.parse(body)
    raise Unreadable(f"this Postcall does not know the platform “{kind}”")


def _own(body: bytes) -> EndedCall:
    try:
        return ToldCall.model_validate(read_json(body))
    except NotJson as error:
        raise Unreadable(str(error)) from None
    except ValidationError as error:
        raise Unreadable("this is not an ended call", errors_of(error)) from None


def in_words(error: Unreadable) -> str:
    """What is wrong with a payload, in one line."""
    return "; ".join(f"{field or 'the body'}: {said}" for field, said in error.errors) or str(error)
