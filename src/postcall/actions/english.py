"""A little English grammar: enough to say in other words what stands in a condition."""

from __future__ import annotations

import re
from typing import Final

_ENGLISH: Final = frozenset(
    {"the", "if", "when", "after", "once", "they", "their", "them", "caller", "customer", "user", "was", "were",
     "has",
     "have", "did", "does", "asks", "asked", "wants", "wanted", "booked", "call", "and", "or", "not", "to", "of",
     "for", "with", "who", "about", "unless", "send", "text", "only", "agent", "said", "says"}
)  # fmt: skip
# The commonest words of Spanish, Portuguese, Italian, French, German and Dutch that English does not have.
_FOREIGN: Final = frozenset(
    {"el", "la", "los", "las", "que", "si", "cuando", "después", "despues", "llamada", "cliente", "una", "del",
     "con",
     "por", "para", "haya", "se", "al", "su", "lo", "quando", "depois", "ligação", "uma", "dopo", "chiamata", "il",
     "che", "è", "le", "les", "quand", "après", "apres", "appel", "appelant", "un", "une", "des", "est", "et",
     "pas",
     "lorsque", "elle", "du", "au", "pour", "der", "das", "wenn", "nach", "anruf", "anrufer", "kunde", "kundin",
     "ein",
     "eine", "einen", "hat", "und", "nicht", "ist", "wurde", "nachdem", "falls", "sobald", "dem", "den", "im", "zu",
     "wird", "klant", "beller", "het", "een", "als", "heeft", "niet", "nadat", "wanneer", "de", "y", "o", "é"}
)  # fmt: skip

# Base forms by their past; of those that are not here the past ends in -ed.
_PASTS: Final = {
    "be": "was", "become": "became", "bring": "brought", "buy": "bought", "choose": "chose", "come": "came",
    "do": "did", "find": "found", "forget": "forgot", "get": "got", "give": "gave", "go": "went", "have": "had",
    "hear": "heard", "leave": "left", "let": "let", "make": "made", "mean": "meant", "meet": "met", "pay": "paid",
    "put": "put", "read": "read", "say": "said", "see": "saw", "sell": "sold", "send": "sent", "set": "set",
    "speak": "spoke", "spell": "spelled", "take": "took", "tell": "told", "think": "thought", "understand":
    "understood", "win": "won", "withdraw": "withdrew", "write": "wrote", "hang": "hung", "know": "knew",
    "plan": "planned", "drop": "dropped", "stop": "stopped", "refer": "referred", "prefer": "preferred",
    "sign": "signed", "cancel": "cancelled",
}  # fmt: skip
_REGULAR: Final = (
    "accept", "agree", "answer", "approve", "arrange", "ask", "book", "call", "change", "check", "commit",
    "complain",
    "complete", "confirm", "connect", "decide", "decline", "deliver", "describe", "discuss", "end", "enquire",
    "enroll", "express", "fail", "fill", "inquire", "join", "mention", "move", "need", "offer", "order", "place",
    "promise", "provide", "purchase", "qualify", "receive", "register", "reject", "refuse", "rent", "report",
    "request", "require", "reschedule", "reserve", "return", "schedule", "share", "show", "start", "state",
    "subscribe", "transfer", "try", "update", "upgrade", "verify", "visit", "wait", "want",
)  # fmt: skip
_PARTICIPLES: Final = {
    "gave": "given", "took": "taken", "wrote": "written", "spoke": "spoken", "chose": "chosen", "came": "come",
    "forgot": "forgotten", "was": "been", "went": "gone", "did": "done", "saw": "seen", "withdrew": "withdrawn",
    "knew": "known", "became": "become",
}  # fmt: skip


def _regular_past(base: str) -> str:
    if base.endswith("e"):
        return f"{base}d"
    if base.endswith("y") and base[-2] not in "aeiou":
        return f"{base[:-1]}ied"
    if base == "commit":
        return "committed"
    return f"{base}ed"


PAST: Final[dict[str, str]] = {**{base: _regular_past(base) for base in _REGULAR}, **_PASTS}
BASE: Final[dict[str, str]] = {**{past: base for base, past in PAST.items()}, "canceled": "cancel", "shown": "show"}
_FINISHED: Final = frozenset({*PAST.values(), *_PARTICIPLES.values(), "canceled", "shown"})


def words_in(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)?", text.casefold())


def is_english(text: str) -> bool:
    """Whether nothing speaks for another language; what has no telling word at all may be English."""
    words = words_in(text)
    foreign = sum(word in _FOREIGN for word in words)
    return foreign == 0 or sum(word in _ENGLISH for word in words) > foreign


def third_person(base: str) -> str:
    if base in ("do", "go") or base.endswith(("s", "sh", "ch", "x")):
        return f"{base}es"
    if base == "have":
        return "has"
    if base.endswith("y") and base[-2:-1] not in "aeiou":
        return f"{base[:-1]}ies"
    return f"{base}s"


def is_verb(word: str) -> bool:
    """Whether it says that somebody did or does something, as far as these tables go."""
    return word in _FINISHED or word in _PRESENT


_PRESENT: Final = frozenset(third_person(base) for base in PAST) | {
    "is", "are", "was", "were", "has", "had", "did", "does", "do", "want", "ask", "need", "says", "wants",
}  # fmt: skip

_QUESTION: Final = re.compile(
    r"(?P<ask>did|does|do|was|were|is|are|has|have|had|will|would|can|could)(?P<not>n['’]t)?\s+(?P<rest>.+?)\s*\?+",
    re.IGNORECASE | re.DOTALL,
)
_PLURALS: Final = frozenset({"they", "you", "we", "i", "customers", "callers", "both"})


def stated(question: str) -> str | None:
    """`Did the caller book?` as `After the caller booked`; None where it is asked in a way that is not known."""
    found = _QUESTION.fullmatch(question.strip())
    if not found:
        return None
    asks, rest = found["ask"].lower(), found["rest"].split()
    denies = bool(found["not"])
    at = _verb_at(rest, asks)
    if at is None:
        return None
    if at + 1 < len(rest) and rest[at].lower() == "not":
        denies, rest = True, [*rest[:at], *rest[at + 1 :]]
    who, verb, more = " ".join(rest[:at]), rest[at].lower(), " ".join(rest[at + 1 :])
    told = _told(asks, who, verb, denies=denies)
    start = "After" if asks in ("did", "was", "were", "has", "have", "had") and not denies else "If"
    return " ".join(part for part in (start, _lowered(who), told, more) if part)


def _verb_at(rest: list[str], asks: str) -> int | None:
    """The place of the word with which the sentence goes on after its subject."""
    plain = [word.lower().strip(",.;") for word in rest]
    if asks in ("did", "does", "do", "will", "would", "can", "could"):
        known = (n for n, word in enumerate(plain) if n > 0 and (word in PAST or word == "not"))
    else:
        known = (n for n, word in enumerate(plain) if n > 0 and (word in _FINISHED or word.endswith("ed")))
    return next(known, None)


def _told(asks: str, who: str, verb: str, *, denies: bool) -> str:
    if denies:
        return f"{asks} not {verb}"
    if asks == "did":
        return PAST.get(verb, verb)
    if asks in ("does", "do"):
        return verb if who.split()[-1].lower() in _PLURALS else third_person(verb)
    return f"{asks} {verb}"


def _lowered(who: str) -> str:
    return who[:1].lower() + who[1:] if who[:2] != "I " and who != "I" else who


def sentence(text: str) -> str:
    """With one large letter at its beginning, and blanks as they belong."""
    text = re.sub(r"\s+([,.;:])", r"\1", " ".join(text.split())).strip(" ,;:-–—")
    return text[:1].upper() + text[1:]
