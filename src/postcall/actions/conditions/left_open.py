"""What leaves so much open that two people would judge the same call differently."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from postcall.actions.conditions.instead import _NOUNS
from postcall.actions.conditions.written import FEW_WORDS, Written, hint
from postcall.actions.english import is_verb, sentence, words_in
from postcall.actions.warning import Warning

_OPEN: Final = re.compile(
    r",?\s*\b(?:if|when(?:ever)?|where(?:ver)?|as|unless) (?:it is |it['’]s |it |this is |that is |deemed )?"
    r"(?:not )?(?:needed|appropriate|relevant|necessary|possible|applicable|suitable|useful|helpful|required|"
    r"makes? sense|"
    r"reasonable|interesting|interested|fitting|warranted|sensible|useful|needed|you think (?:so|it "
    r"fits))(?P<end>[.!]?$|,)",
    re.IGNORECASE,
)
_PRAISE: Final = re.compile(
    r"\b(?:call|conversation|everything|it|all|interaction) (?:went|goes|was|is|has gone)(?: very| really)? "
    r"(?:well|good|great|fine|ok|okay|smoothly|badly|bad|poorly|positive|productive|useful|successful|a "
    r"success)\b(?! (?:for|to|with|if|at)\b)"
    r"|\b(?:good|great|bad|nice|positive|successful|productive|interesting|important|special|negative|poor) "
    r"(?:call|conversation|outcome|experience|impression|result|case|interaction)s?\b|"
    r"\b(?:good|hot|warm|qualified|promising|strong) leads?\b|\b(?:is|was|are) (?:well )?qualified\b|"
    r"\b(?:something|anything) (?:important|interesting|relevant|useful|good|special)\b",
    re.IGNORECASE,
)
_INTERESTED: Final = "If the caller asked for more information"
_SAYS_LITTLE: Final = frozenset(
    {"if", "it", "is", "the", "a", "and", "or", "when", "after", "call", "needed", "appropriate", "relevant", "was",
     "necessary", "possible", "makes", "sense", "sometimes", "maybe", "interesting", "something", "good", "well",
     "yes",
     "ok", "useful", "caller", "customer", "they", "done", "this", "that", "only", "true", "success", "successful"}
)  # fmt: skip


def vague_words(written: Written) -> Iterator[Warning]:
    if found := _OPEN.search(written.text):
        kept = sentence(f"{written.text[: found.start()]} {written.text[found.end() :]}")
        better = kept if len(words_in(kept)) >= FEW_WORDS else None
        if "interested" in found[0].lower():
            better = better or _INTERESTED
    elif _PRAISE.search(written.text):
        better = None
    else:
        return
    yield _vague(better or written.example)


def few_words(written: Written) -> Iterator[Warning]:
    words = words_in(written.text)
    if any(word in _NOUNS for word in words) and any(is_verb(word) for word in words):
        return
    if "interested" in words and len(words) < 6:
        yield _vague(_INTERESTED)
    elif len([word for word in words if word not in _SAYS_LITTLE]) < 2:
        # A single word of a language that is not known gets no English in its place.
        is_known = len(words) > 1 or words[0] in _SAYS_LITTLE or is_verb(words[0])
        yield _vague(written.example if is_known else None)
    elif len(words) < FEW_WORDS and any(word in _SAYS_LITTLE or is_verb(word) for word in words):
        yield _vague(written.example)


def _vague(better: str | None) -> Warning:
    return hint(
        "vague_condition",
        "This leaves much open, and two people would judge the same call differently; say what must have happened",
        better,
    )
