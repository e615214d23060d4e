"""What every shape that is parsed at an edge is made of."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """PostgreSQL stores neither NUL nor a lone surrogate; both become U+FFFD, so that nothing else is lost."""
    return _UNSTORABLE.sub("�", text)


def storable_json(value: Any) -> Any:
    """`storable` for every string of a JSON value, keys included."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [storable_json(item) for item in value]
    if isinstance(value, dict):
        return {storable(str(key)): storable_json(item) for key, item in value.items()}
    return value


Text = Annotated[str, AfterValidator(storable)]
Identifier = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(storable)]


class Strict(BaseModel):
    """A misspelt field is an error that names it, not a value that is silently lost."""

    model_config = ConfigDict(extra="forbid")
