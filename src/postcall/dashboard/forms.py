"""A form of a page: what was typed, and what is wrong with it, next to the field that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from django.http import HttpRequest
from pydantic import BaseModel, ValidationError

from postcall.agents.editing import CannotEdit
from postcall.shapes import storable
from postcall.sources.reading import errors_of

Content = TypeVar("Content", bound=BaseModel)
_ATTRIBUTES: Final = ("typed", "problems", "is_well")


class Form:
    """The fields of a form by the names that they have on the page.

    `problems` is by field what is wrong with it; under the empty name what is wrong with none in particular.
    A field of the same name as one of the API's shape needs no entry in `fields` of `checked` and `refuse`.
    """

    def __init__(self, typed: Mapping[str, str] | None = None) -> None:
        self.typed = dict(typed or {})
        self.problems: dict[str, str] = {}

    @classmethod
    def posted(cls, request: HttpRequest) -> Form:
        """What the request brings, with its line breaks as they are stored; passwords keep their white space."""
        return cls(
            {
                name: storable(str(value)).replace("\r\n", "\n").strip()
                if "password" not in name
                else storable(str(value))
                for name, value in request.POST.items()
                if name != "csrfmiddlewaretoken"
            }
        )

    def __getitem__(self, name: str) -> str:
        """What was typed into a field; empty where nothing was."""
        # A template tries a key before an attribute: `form.problems` is to be the latter.
        if name in _ATTRIBUTES:
            raise KeyError(name)
        return self.typed.get(name, "")

    def ticked(self, name: str) -> bool:
        """Whether a check box was ticked."""
        return bool(self.typed.get(name))

    @property
    def is_well(self) -> bool:
        return not self.problems

    def refuse(self, name: str, message: str) -> None:
        """Notes what is wrong with a field; the first word on a field stands."""
        self.problems.setdefault(name, _as_sentence(message))

    def checked(
        self, shape: type[Content], data: Mapping[str, Any], fields: Mapping[str, str] | None = None
    ) -> Content | None:
        """`data` as `shape`; None where it is none, with the problems noted. `fields` says by a path of the shape
        under which name the page has it."""
        try:
            return shape.model_validate(data)
        except ValidationError as error:
            for path, message in errors_of(error):
                self.refuse(self._field_of(path, fields), message)
            return None

    def refuse_for(self, error: CannotEdit, fields: Mapping[str, str] | None = None) -> None:
        """Notes why an edit was refused, at the field that it names."""
        self.refuse(self._field_of(error.field, fields), str(error))

    def _field_of(self, path: str, fields: Mapping[str, str] | None) -> str:
        known = fields or {}
        while path:
            if path in known:
                return known[path]
            if path in self.typed:
                return path
            path = path.rpartition(".")[0]
        return known.get("", "")


def _as_sentence(message: str) -> str:
    text = message.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
