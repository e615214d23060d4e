"""Judges that understand nothing: what any other has to be better than. For measuring alone; nothing is texted by
them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from postcall.judge.verdicts import Case, Condition, Evidence, Judge, Judgement, Turn, Verdict

# Words that say nothing of what the condition is about.
_EMPTY: Final = re.compile(
    r"a|about|after|an|and|any|are|as|at|be|been|but|by|calls?|caller|customer|did|do|does|during|each|for|from|get|"
    r"got|had|has|have|he|her|him|his|i|if|in|into|is|its?|of|on|only|or|our|out|person|she|so|somebody|someone|"
    r"that|the|theirs?|them|then|there|they|this|to|up|was|we|were|what|when|whenever|where|which|while|who|will|"
    r"with|yours?|you|s"
)
_STEM: Final = 5


class Always:
    """Says `met` of every call in which there is anything to quote."""

    name = "always"
    listens = False

    def decide(self, case: Case) -> Judgement:
        said = [Evidence(number, turn.text) for number, turn in enumerate(case.turns, 1) if turn.text.strip()]
        # Of the agent where there is one: what a customer alone says proves little to the quote check.
        quoted = sorted(said, key=lambda each: case.turns[each.turn - 1].role != "agent")[:1]
        verdict = Verdict("met", 1.0, "It always says so.", tuple(quoted), 1.0, None, self.name)
        return Judgement({condition.id: verdict for condition in case.conditions})


class Keywords:
    """Says `met` where the call has at least half of the words that the condition is about."""

    name = "keywords"
    listens = False

    def decide(self, case: Case) -> Judgement:
        said = [_stems(turn.text) for turn in case.turns]
        return Judgement({each.id: self._verdict(each, case.turns, said) for each in case.conditions})

    def _verdict(self, condition: Condition, turns: Sequence[Turn], said: list[set[str]]) -> Verdict:
        asked = _stems(condition.text)
        found = len(asked & set().union(*said)) / len(asked) if asked else 0.0
        if found < 0.5:
            return Verdict(
                "not_met", 1 - found, "The call lacks the condition's words.", (), found, None, self.name
            )
        most = max(range(len(turns)), key=lambda number: len(asked & said[number]))
        quoted = (Evidence(most + 1, turns[most].text),)
        return Verdict("met", found, "The call has the condition's words.", quoted, found, None, self.name)


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in re.findall(r"\w+", text.lower()) if not _EMPTY.fullmatch(word)}


BASELINES: Final[dict[str, Judge]] = {"always": Always(), "keywords": Keywords()}
