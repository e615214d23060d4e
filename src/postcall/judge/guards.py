"""What can be told about a call without a model: pure functions over its turns, the same for every judge.

Phrases are matched in English and Spanish (voicemail also in French and German). A phrase that is missed costs
what the judge makes of it; one that is found too much costs a held text, so the patterns ask for whole phrases.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from postcall.judge.verdicts import Evidence, Turn

Objection = Literal["explicit", "suspected"]

_NOISE = re.compile(r"\[[^\[\]]{0,200}\]|\([^()]{0,200}\)|<[^<>]{0,200}>|\*[^*]{0,200}\*")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?;\n]+")
QUOTE_CHARACTERS = 200
# The patterns are written without accents and with straight apostrophes; one character stands for one character,
# so that a match's place is its place in the turn.
_PLAIN = str.maketrans("’‘ʼáéíóúüñÁÉÍÓÚÜÑ", "'''aeiouunAEIOUUN")


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _customer(turns: Sequence[Turn]) -> Iterable[tuple[int, str]]:
    """(turn number, text) of every customer turn that has words."""
    for number, turn in enumerate(turns, 1):
        if turn.role == "customer" and _words(turn.text):
            yield number, turn.text


def _plain(text: str) -> str:
    return text.translate(_PLAIN)


def _words(text: str) -> list[str]:
    """Words and numbers said; "[silence]", "(inaudible)" and the like are not."""
    return re.findall(r"\w+(?:'\w+)*", _NOISE.sub(" ", text))


def customer_spoke(turns: Sequence[Turn]) -> bool:
    """Whether the customer said at least one word or number."""
    return next(iter(_customer(turns)), None) is not None


# Voicemail

_AFTER_THE_TONE = _any_of(
    r"\b(?:after|at|following) the (?:tone|beep|signal)\b",
    r"\bleave (?:me |us )?(?:a|your|the) (?:\w+ )?(?:message|voice ?mail)\b.{0,40}\b(?:tone|beep|back to you"
    r"|call you|return)",
    r"\b(?:please|just|kindly) leave (?:me |us |a |your |the )(?:\w+ )?(?:message|name)\b",
    r"\byou'?(?:ve| have)? (?:have )?reached the (?:voice ?mail|voice mail ?box|mailbox|answering machine)\b",
    r"\b(?:voice ?mail|mail) ?box (?:of|for|is full|belonging)\b",
    r"\b(?:call|you) (?:has|have) been (?:forwarded|transferred) to (?:an? |the )?(?:automat|voice)",
    r"\b(?:person|party|number|subscriber|customer) you(?:'re| are| have|'ve)? (?:trying to reach|calling"
    r"|call|called|dialed|dialled|reached)\b.{0,40}\b(?:not|un)\s?(?:available|able|in service|reachable)",
    r"\brecord your (?:message|name)\b",
    r"\bfinished recording\b|\bpress (?:one|1|pound|the pound key) for more options\b",
    r"\bdeje? (?:un|su|tu|el) mensaje\b|\bdejar? (?:un|su|tu) mensaje (?:despues|tras|al)\b",
    r"\b(?:despues|al oir|luego) (?:del?|el|de la) (?:tono|senal|pitido)\b",
    r"\bbuzon de (?:voz de|mensajes)\b|\b(?:ha llamado|comunicado|transferid[ao]|llamada sera transferida"
    r"|desviada) al? (?:un )?buzon\b",
    r"\b(?:numero|persona|cliente|usuario) (?:al? que|que) (?:usted )?(?:marco|llam[aó]|esta llamando|ha"
    r" marcado)\b.{0,40}\bno\b",
    r"\blaissez (?:un|votre|moi un) message\b|\bapr[eè]s le (?:bip|signal)\b",
    r"\bnachricht nach dem (?:ton|signalton|piep)|\bnach dem (?:signalton|piepton)\b",
)
_AWAY = _any_of(
    r"\b(?:can'?t|cannot|can not|unable to|not able to) (?:come to|get to|answer|take|pick up)(?: the| your|"
    r" my)? (?:phone|call)\b",
    r"\byou'?(?:ve| have) reached\b",
    r"\b(?:i'?m|we'?re|is|are) (?:not available|unavailable|away from (?:the|my) phone)\b",
    r"\bno (?:puedo|podemos) (?:atender|contestar|responder)\b",
)
_WILL_CALL = _any_of(
    r"\bleave\b.{0,30}\b(?:message|number|name)\b",
    r"\b(?:get back to you|return your call|call you back)\b",
    r"\bmensaje\b|\bdevolvere\b|\bllamare\b",
)
_DETECTED = _any_of(
    r"\b(?:voice ?mail|answering machine|machine)\b.{0,20}\b(?:detected|reached|true|hit)",
    r"\bmachine_(?:start|end)",
)
# A greeting comes first; later on such words are somebody talking about voicemail.
_GREETING_TURNS = 4
_PERSON_WORDS = 4


def _greets_as_a_machine(text: str) -> bool:
    text = _plain(text)
    return bool(_AFTER_THE_TONE.search(text) or (_AWAY.search(text) and _WILL_CALL.search(text)))


def is_voicemail(turns: Sequence[Turn]) -> bool:
    """Whether a machine answered and no person came on afterwards."""
    if any(turn.role in ("system", "tool") and _DETECTED.search(turn.text) for turn in turns):
        return True
    said = [text for _, text in _customer(turns)]
    machine = [at for at, text in enumerate(said) if _greets_as_a_machine(text)]
    if not machine or machine[0] >= _GREETING_TURNS:
        return False
    return sum(len(_words(text)) for text in said[machine[-1] + 1 :]) < _PERSON_WORDS


# Language

_ENGLISH = frozenset(
    """
    the i you it is to and of that for on my have what we can yes okay ok thanks thank your this with be are not
    just like would want need i'm it's that's don't at how about there they she he was if from so up please hi
    hello bye know get when good great no sorry right well one time all but in do me yeah sure here will could
    see call
    """.split()  # noqa: SIM905  # read as text
)
_OTHER = frozenset(
    """
    el la los las que de y en es por para con una un su mi usted sí gracias hola quiero pero muy está cómo qué
    cuándo tengo puedo favor bueno adiós día mañana yo le se al del lo
    les des et est je vous nous pas pour avec une dans sur bonjour merci oui votre c'est j'ai rendez-vous
    der das und ich ist nicht sie mit für ein eine auf wir guten danke bitte ja möchte habe einen termin kann
    não você obrigado obrigada olá uma eu com isso sim bom dia
    il che di per non sono grazie buongiorno vorrei ho della questo
    """.split()  # noqa: SIM905  # read as text
)
_ENOUGH_WORDS = 8
_ENGLISH_SHARE = 0.08


def is_english(turns: Sequence[Turn]) -> bool:
    """Whether what the customer says, and the call as a whole, may be English. Too few words count as English."""
    spoken = [turn for turn in turns if turn.role in ("agent", "customer")]
    return _may_be_english(turn.text for turn in spoken if turn.role == "customer") and _may_be_english(
        turn.text for turn in spoken
    )


def _may_be_english(texts: Iterable[str]) -> bool:
    words = [word.lower() for text in texts for word in _WORD.findall(_NOISE.sub(" ", text).replace("’", "'"))]
    letters = "".join(words)
    if sum(not _latin(letter) for letter in letters) > 0.3 * len(letters):
        return False
    english, other = (sum(word in known for word in words) for known in (_ENGLISH, _OTHER))
    if other >= 2 and other > english:
        return False
    return len(words) < _ENOUGH_WORDS or english >= _ENGLISH_SHARE * len(words)


def _latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "LATIN").startswith("LATIN")


# A caller who talks to the judge
#
# Three kinds of words. What only a program writes stands in no customer's speech, but does in a tool's answer;
# "I'll mark you as confirmed" is an agent's honest work; talk about the judging itself is nobody's.

_WRITTEN_BY_PROGRAMS = _any_of(
    r"^\s*+[\[<(#*]*+\s*+(?:system|assistant|developer|admin|tool|function|sistema|systeme|asistente|система|系统|系統"
    r"|システム|시스템|النظام)\s*+[\])>#*]*+\s*+(?::|->|>|\bcolon\b)",
    r"^\s*+[\[<(#*]*+\s*+(?:system|developer|admin|sistema)\s*+[\])>#*]*+\s*+,",
    r"(?:^|[.!?:;,\n]\s{0,3})(?:system|assistant|human|user|developer)\s*:",
    r"^\s*(?:to|from|recipient|body)\s*:.{0,60}\n|\b(?:result|status|outcome|probability) equals?\b",
    r"^\s*(?:system|developer|admin) (?:send|mark|set|prompt|override|says? to)\b",
    r"[\[<(]\s*/?\s*(?:system|assistant|inst|tool|im_start|im_end)\b|<\|",
    r"</\w|<(?:call|conditions?|values?|tool_results?|earlier_report|transcript|user|instructions?)\b",
    r"```|~~~|\{\s*[\"']?\w+[\"']?\s*:|[\"']\s*:\s*[\"'\[{]|\[\s*\{|(?<!-)-{3,}+\s*(?:begin|end)\b|^\s*#{2,}\s*\w",
    r"[\"']?\b(?:result|status|met|confidence|outcome)\b[\"']?\s*[:=]\s*[\"']?\w",
    r"\b(?=[^\W_]+_\w)\w++\s*+(?:\(|->|→|\{)|(?:->|→)\s*(?:ok|success|true|done)\b",
    r"\b(?:tool|function|api) (?:call|result|response|output)s?\s*[:=]",
    r"\bturn \d+\s*[:=]|\bend of (?:the )?(?:transcript|call data|conversation data|prompt|input)\b",
    r"[A-Za-z0-9+/]{40,}={0,2}",
)
_MARKING = _any_of(
    r"\b(?:mark|flag|label|treat|count|classify|consider|record|log) (?:this|the|that|my|it|me)\b.{0,30}\bas"
    r" (?:\w+ )?(?:met|booked|scheduled|confirmed|true|yes|complete|completed|done|interested|accepted|successful"
    r"|agreed)\b",
    r"\bpretend (?:that )?(?:the|this|i|you)\b|\bact as if\b|\bset\b.{0,30}\bto true\b|\bas an ai\b",
    r"(?<!\bi )(?<!\bwe )\b(?:assume|suppose|imagine|let's say|hypothetically|for the sake of)\b.{0,30}\b(?:i|we"
    r"|this|that|the \w+)\b.{0,20}\b(?:booked|scheduled|confirmed|paid|bought|accepted)\b",
    r"\btrigger (?:the |that |your |a )?(?:\w+ )?(?:text|sms|message|follow-?up|action|automation|webhook)\b",
    r"\b(?:markier|kennzeichn|werte|stuf|marc|marqu|segn|oznacz|отмет|помет)\w*.{0,40}?\b(?:anruf|gesprach|llamada"
    r"|conversacion|appel|conversation|chiamata|ligacao|chamada|звонок|разговор|rozmow)\w*.{0,20}?\b(?:als|como"
    r"|comme|come|jako|как)\b",
    r"(?:通话|通話|电话|電話|对话|会話|통화).{0,20}(?:标记|標記|记录|記録|マーク|표시)|(?:标记|標記|マーク).{0,8}(?:为|為|として)",
)
_IGNORE = (
    r"(?:\b(?:ignor|disregard|forget|overrid|bypass|skip your|olvid|desatien|haz caso omiso|vergiss|vergess"
    r"|missacht|oubli|dimentic|esquec|desconsider|negeer|zignoruj|игнорир|забуд)\w*|忽略|无视|無視|忘记|忘れ|무시|تجاهل)"
)
_ORDERS = (
    r"(?:\b(?:instructions?|prompts?|rules?|guidelines?|directions?|conditions?|instruc+i|instrukt|anweis|vorgab"
    r"|regel|consigne|istruzion|instruca|polecen|instructie|инструкц|указани)\w*|指示|指令|命令|规则|지시|명령|تعليمات)"
)
_CONDITION = (
    r"(?:\b(?:conditions?|criteri(?:a|on))\b|\b(?:condici|condizion|condica|bedingung|voorwaarde|warunek|услови"
    r"|critere)\w*|条件|조건|الشرط)"
)
_FULFILLED = (
    r"(?:\b(?:met|true|holds)\b|\b(?:satisf|fulfil|cumpl|erfullt|remplie?s?|soddisf|atendid|vervuld|voldaan"
    r"|spelnion|выполн|соблюд)\w*|满足|滿足|成立|達成|満た|충족|تحقق|مستوف)"
)
_ABOUT_THE_JUDGING = _any_of(
    r"\bsystem (?:prompt|message|override|instruction|note|update)s?\b",
    rf"{_IGNORE}.{{0,40}}?{_ORDERS}|{_ORDERS}(?:を|을|를| ).{{0,10}}?(?:無視|忘れ|무시)",
    r"\b(?:ignore|disregard|forget) (?:everything|all|anything)\b.{0,20}\b(?:above|before|previous|told|said)\b",
    r"\b(?:new|updated|following|these|real|true|actual) (?:instructions?|system prompt|task)\b\s*[:,]|\b(?:new"
    r"|updated|following|these) instructions\b",
    rf"{_CONDITION}.{{0,30}}?{_FULFILLED}"
    r"|\b(?:satisf|fulfil|meets?)\w* (?:the|this|your|every|each|all|both)\b.{0,12}?\b(?:conditions?|criteri(?:a"
    r"|on))\b|(?:満た|满足|滿足|达到).{0,10}?条件",
    r"\b(?:verdict|classifier|language model|judge (?:should|must|will)|evaluator|evaluation)\b|\bnot_met\b",
    r"\b(?:[cv]|condition|value) ?(?:\d|one|two)\b\s*(?:is|was|as|:|=|->)\s*(?:also |now )?\"?(?:met|true|yes"
    r"|done)\b",
    r"\b(?:respond|answer|reply|output|return|report|say) (?:only )?(?:with )?[\"']?(?:met|true|condition"
    r"|verdict)\b",
    r"\b(?:note|message|attention|hint|instruction|memo) (?:to|for) (?:the |whichever |any )?(?:ai|system|model"
    r"|judge|reviewer|evaluator|software|transcript|bot|machine|computer)\b",
    r"\b(?:dear|hey|hello|attention|listen),? (?:up,? )?(?:ai|gpt|chat ?gpt|claude|gemini|llm|judge|language"
    r" model)\b",
    r"\b(?:output|respond|reply|return) only\b",
    r"\byou are now\b|\byour (?:programming|training|guardrails)\b|\bdeveloper mode\b|\bjailbreak",
    r"\b(?:whoever|whatever|anyone|anything|the one|model|ai|system|program|machine|software) (?:that |who |which"
    r" )?(?:is |will be )?(?:read|reads|reading|review|reviews|reviewing|analy[sz]\w+|evaluat\w+|judg\w+|scor\w+"
    r"|grad\w+|process\w*) (?:this|the|our|my)\b",
    r"\b(?:evaluat|classif|judg|scor|grad|analy[sz])(?:e|es|ed|ing|y|ies|ied)\b.{0,20}\b(?:this|the|our|my)"
    r" (?:call|transcript|conversation|dialogue)\b",
    r"\b(?:final|correct|right|only|expected|your) (?:answer|output|response|verdict|result|report) (?:is|should"
    r" be|must be|has to be|shall be|will be|needs to be)\b",
    r"\b(?:i am|i'm|this is|speaking as|speaking for|on behalf of|we are|we're|comes from|orders? (?:from|of)"
    r"|message from) (?:the |an? |your )?(?:\w+ ){0,3}?(?:postcall|anthropic|open ?ai|(?:system|software|platform"
    r"|prompt|ai|model) (?:administrator|admin|operator|developer|engineer|owner|creator))\b",
    r"\bas (?:the|your) (?:\w+ )?(?:developer|operator|administrator|creator|programmer)\b",
    r"\b(?:developer|operator|administrator|creator|programmer) of this (?:system|software|platform|ai|model"
    r"|service)\b",
    r"\b(?:your|the) (?:evidence|confidence|probability)(?: \w+)? (?:is|should|must|to|of) (?:be )?(?:1|one|100"
    r"|high|\d)|\bquote (?:me|this|these words|my words|turn)\b.{0,20}\b(?:as|for|evidence|proof)\b",
    r"\bignor[ae]n? (?:las|tus|sus|todas)\b.{0,30}\binstruccion",
)
_BY_A_CUSTOMER = (_WRITTEN_BY_PROGRAMS, _MARKING, _ABOUT_THE_JUDGING)
_ACROSS_TURNS = (_MARKING, _ABOUT_THE_JUDGING)

# What turns the way letters run, or tags text unseen; no speech recognition writes it.
_UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0001-\U000e007f]")
# Cyrillic and Greek letters that look like Latin ones, and digits in words that do.
_LOOKALIKES = str.maketrans(
    "аеорсухкмнтвіјѕԁԛѡһαοενικτρυχАЕОРСУХКМНТВІЈЅΑΟΕΝΙΚΤΡΥΧΒΗΜΖ",
    "aeopcyxkmhtbijsdqwhaoevikrpuxAEOPCYXKMHTBIJSAOENIKTPYXBHMZ",
)
_DIGITS_AS_LETTERS = str.maketrans("013457", "oieast")
_DISGUISED = re.compile(r"\b(?=\w*[a-z])(?=\w*\d)(?!\d+(?:st|nd|rd|th|am|pm|h)?\b)\w{3,}\b", re.IGNORECASE)
_SPELLED = re.compile(r"(?<!\w)(?:[A-Za-z][ .\-]){3,}[A-Za-z](?!\w)")
_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})
_ECHO_WORDS, _ECHO_AT_MOST = 3, 100


@dataclass(frozen=True)
class _Reading:
    """Words as the patterns look for them. `at` says where each character stands in what was said."""

    text: str
    at: Sequence[int]


def _readings(text: str) -> Iterable[_Reading]:
    """`text` without accents, invisible characters and compatibility forms; and, where that differs, with
    look-alike letters and spelled-out words put right."""
    plain = _folded(text)
    yield plain
    bare = plain.text.translate(_LOOKALIKES)
    bare = _DISGUISED.sub(lambda word: word[0].translate(_DIGITS_AS_LETTERS), bare)
    undisguised = _unspelled(_Reading(bare, plain.at))
    if undisguised.text != plain.text:
        yield undisguised


def _folded(text: str) -> _Reading:
    if text.isascii():
        return _Reading(text, range(len(text)))
    pairs = [(part, place) for place, letter in enumerate(text.translate(_PLAIN)) for part in _bare_letter(letter)]
    return _Reading("".join(part for part, _ in pairs), [place for _, place in pairs])


@cache
def _bare_letter(letter: str) -> str:
    parts = (part for part in unicodedata.normalize("NFKD", letter) if unicodedata.category(part) not in _NO_WIDTH)
    return unicodedata.normalize("NFC", "".join(parts))


def _unspelled(reading: _Reading) -> _Reading:
    """ "s y s t e m" as "system"."""
    gaps = {at for run in _SPELLED.finditer(reading.text) for at in range(run.start() + 1, run.end(), 2)}
    if not gaps:
        return reading
    kept = [place for place in range(len(reading.text)) if place not in gaps]
    return _Reading("".join(reading.text[place] for place in kept), [reading.at[place] for place in kept])


def _first(text: str, patterns: Iterable[re.Pattern[str]]) -> str | None:
    """The sentence of `text` in which one of `patterns` is found."""
    if unseen := _UNSEEN.search(text):
        return _sentence_at(text, unseen.start(), unseen.end())
    for reading in _readings(text):
        for pattern in patterns:
            if found := pattern.search(reading.text):
                return _sentence_at(text, reading.at[found.start()], reading.at[found.end() - 1] + 1)
    return None


def instructs_the_judge(turns: Sequence[Turn]) -> Evidence | None:
    """The first customer turn that is worded like an instruction to a machine, a role's line or a tool's result."""
    return next(iter(instructing(turns)), None)


def instructing(turns: Sequence[Turn]) -> list[Evidence]:
    """Every such turn, with the sentence that says so; also turns that only together say it."""
    found = {
        number: Evidence(number, quote)
        for number, text in _customer(turns)
        if (quote := _first(text, _BY_A_CUSTOMER))
    }
    for number, quote in _said_in_pieces(turns):
        found.setdefault(number, Evidence(number, quote))
    return [found[number] for number in sorted(found)]


def _said_in_pieces(turns: Sequence[Turn]) -> Iterable[tuple[int, str]]:
    """The customer's turns over which an instruction is spread: (number, the turn's text)."""
    said = [(number, _folded(text).text) for number, text in _customer(turns)]
    owner = [place for place, (_, text) in enumerate(said) for _ in f"{text} "]
    joined = " ".join(text for _, text in said)
    for pattern in _ACROSS_TURNS:
        for found in pattern.finditer(joined):
            first, last = owner[found.start()], owner[found.end() - 1]
            for number, _ in said[first : last + 1] if first != last else ():
                yield number, turns[number - 1].text.strip()[:QUOTE_CHARACTERS]


def carries_nothing(quoted: Evidence, turns: Sequence[Turn], orders: Sequence[Evidence]) -> bool:
    """Whether a quote proves nothing, since it is a caller's word to the judge: a turn of theirs that gives orders
    (`orders`: `instructing(turns)`), another's turn that repeats its words, or a tool's note of such words."""
    turn = turns[quoted.turn - 1]
    giving = {order.turn for order in orders}
    if turn.role == "customer":
        return quoted.turn in giving
    around = _around(turn.text, quoted.quote)
    if _UNSEEN.search(around) or _first(around, (_ABOUT_THE_JUDGING,)):
        return True
    return _repeats(quoted, turns, giving)


def are_the_customers(quoted: Evidence, turns: Sequence[Turn]) -> bool:
    """Whether the words quoted are the customer's: in a turn of theirs, or noted by a tool as they said them."""
    role = turns[quoted.turn - 1].role
    said = {number for number, _ in _customer(turns)}
    return role == "customer" or (role != "agent" and _repeats(quoted, turns, said))


def _repeats(quoted: Evidence, turns: Sequence[Turn], numbers: Iterable[int]) -> bool:
    """Whether more than half of the quote is one run of words out of an earlier one of these turns."""
    echo = _bare(quoted.quote).split()[:_ECHO_AT_MOST]
    run = max(_ECHO_WORDS, len(echo) // 2 + 1)
    runs = [f" {' '.join(echo[at : at + run])} " for at in range(len(echo) - run + 1)]
    said = (f" {_bare(turns[number - 1].text)} " for number in numbers if number < quoted.turn and runs)
    return any(words in text for text in said for words in runs)


def _bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", _folded(text).text.casefold()))


def _around(text: str, quote: str) -> str:
    """The sentences that `quote` stands in, white space aside."""
    text, quote = " ".join(text.split()), " ".join(quote.split())
    at = text.find(quote)
    return _sentence_at(text, at, at + len(quote), limit=len(text)) if at >= 0 else quote


_DEED = re.compile(
    r"\b(?:schedul|re-?schedul|book|re-?book|reserv|rent(?:ed|ing)\b|order(?:ed|ing)\b|purchas|bought\b|buying\b"
    r"|paid\b|paying\b|payment (?:was|is|has|went)|refund(?:ed|ing)\b|transferr|registered\b|enrol?led\b|signed"
    r" up\b)\w*",
    re.IGNORECASE,
)
_WORDS_OF_THE_CUSTOMER = re.compile(
    r"\b(?:ask|want|request|interest|inquir|enquir|wish|like|need|try|tries|attempt|look|search|mention|say|said|tell"
    r"|told|agree|accept|approv|confirm|declin|refus|reject|complain|offer|hope|plan|intend|consider|think|would|about"
    r"|question|whether|how|why|change|correct|already|previous|before|not|no|never|without|fail|unsuccess|unable"
    r"|cannot|cancel|instead|turn|purpose|reason|goal|error|problem|trouble|issue|stop|open|pending|abandon|drop|leave"
    r"|left|back|gave|give|call(?:s|ed|ing)? (?:to|about|for)|to (?:re-?)?(?:book|schedule|reserve|order|rent"
    r"|purchase))\w*|n't\b|\bis (?:what|after)\b",
    re.IGNORECASE,
)


def takes_the_business(condition: str) -> bool:
    """Whether the condition is plainly about a deed of the business ("after scheduling an appointment"), which a
    customer's word alone cannot show; not about what the customer says, asks or wants. English only."""
    return bool(_DEED.search(condition)) and not _WORDS_OF_THE_CUSTOMER.search(condition)


# Not to be texted

_NOT = r"(?:do not|don'?t|never|must not|not to|(?:i )?rather you (?:didn'?t|not))"
_TEXTS = r"(?:texts?|text messages?|texting|sms(?:es)?|messages?|messaging)"
_ANY = (
    r"(?:any |more |no more |a |an |the |that |those |these |your |this |such |another |further"
    r"|promotional |confirmation |reminder |marketing |automated |automatic |more of (?:your|those|these) )*"
)
# Not "don't stop texting me", "I get non-stop texts", "the bus stop texts".
_TOLD = r"(?<!n't )(?<!not )(?<!ever )(?<!non-)(?<!non )(?<!bus )\b"
_CONTACT = r"(?:contact(?:ing)?|bother(?:ing)?|message|messaging|text(?:ing)?|sms)"
# "Don't call or text me", "do not call, text, or e-mail me"; but "don't call, text me" asks for a text.
_REACH = r"(?:call|phone|ring|email|e-mail|mail|write|bother)(?:ing)?"
_OR_TEXT = rf"(?:{_REACH}(?: (?:me|us))? (?:or|and|nor) |{_REACH}, (?=text(?:ing)?,? (?:or|and|nor) ))*"
_OR_CALL = rf"(?:,? (?:or|and|nor) {_REACH}|,? (?:or|and|nor) message)?"
_LIST = (
    r"(?:your (?!wait|guest|standby|class|schedule)|(?:the|this|that|any|all) (?:\w+ )?(?:text|sms|texting"
    r"|messaging|mailing|marketing|contact|call|calling) )(?:\w+ ){0,2}?(?:lists?|database|contacts?|system"
    r"|records?)\b"
)
_SPANISH_TEXTS = r"(?:mensajes?|mensajitos?|textos?|sms)"
_SPANISH_SEND = r"(?:mand|envi)(?:e|en|es|ara|aran|aras)"

_EXPLICIT = _any_of(
    rf"\b(?:do not|don't|dont|never) (?:ever |please )*{_OR_TEXT}(?:text|sms)(?= *(?:$|[,.!;]|and\b|but\b"
    r"|at all\b|please\b))",
    r"\bdon't you (?:dare|ever) (?:text|message|sms|contact|send)\b",
    r"\bdon't you (?:guys|people|all) (?:ever )?(?:text|message|sms|contact) (?:me|us) (?:again|any ?more|ever)\b",
    rf"\b(?:can|could|would|will) you (?:please )?not (?:text|message|sms|send(?: me)? {_ANY}{_TEXTS})\b(?!"
    r" the\b| (?:me|us) (?:an?|the|that|it|my|some|when|later|tomorrow)\b)",
    rf"\b(?:can|could|would|will) you (?:please |just )?(?:stop|quit) (?:with )?(?:all |of |the |these |those"
    rf" |your )+{_TEXTS}\b",
    r"\b(?:prefer|rather|like it if|want|appreciate it if|appreciate if) (?:that |if )?you (?:don't|do not|didn't"
    r"|did not|not) (?:text|message|sms)\b",
    r"\bunder no circumstances (?:should you |are you to )?(?:text|message|sms|contact)\b",
    r"\bmake sure (?:that )?(?:nobody|no ?one|you don't|you do not|they don't) (?:text|message|sms|contact)s?"
    r" (?:me|us|this)\b",
    rf"\b{_NOT} use (?:this|my|that) (?:number|phone|cell)\b.{{0,20}}\b{_TEXTS}\b",
    rf"(?<!n't )(?<!not )\b(?:want|like|love|need|wish|prefer) to stop (?:getting|receiving) {_ANY}{_TEXTS}\b",
    rf"\bhow (?:do|can|could) (?:i|we) (?:stop|end)(?: (?:getting|receiving))? {_ANY}{_TEXTS}\b",
    rf"\bno longer (?:want|wish|care|like)(?: to)?(?: (?:receive|get|have|be sent))? {_ANY}{_TEXTS}\b",
    r"\b(?:do not|don't|never) have (?:my |our )?(?:permission|consent)\b.{0,30}\b(?:text|sms|messag|contact)",
    r"\b(?:revoke|withdraw|take back) (?:my|our) (?:permission|consent)\b.{0,30}\b(?:text|sms|messag|contact)",
    r"\b(?:don't|do not|never) (?:ever |please )*send (?:me|us) (?:anything|nothing)\b",
    r"(?:\bnot|n't) (?:consent|agree|give (?:you )?(?:my )?(?:permission|consent))\b.{0,30}\b(?:text|sms"
    r"|message)",
    rf"\bno (?:me|nos) {_SPANISH_SEND} nada\b",
    rf"\b{_NOT} (?:ever |please |you (?:ever )?|be )*{_OR_TEXT}(?:text|message|sms|contact)(?:ing)?{_OR_CALL}"
    r"(?: (?:me|us|this (?:number|phone)|my (?:number|phone|cell)))\b",
    rf"\b{_NOT} (?:ever |please )*send(?:ing)?(?: (?:me|us))? {_ANY}{_TEXTS}\b",
    rf"{_TOLD}(?:stop|quit|cease) (?:with )?(?:the |all |all the |these |those |your )?{_CONTACT}\b(?!\s+(?:by"
    r"|in)\b)",
    rf"{_TOLD}(?<!you )(?<!they )(?:stop|quit|cease) (?:it )?(?:with )?(?:(?:all|of|any|the|these|those|this|your"
    r"|more|annoying|marketing|promotional|automated|automatic) )*(?:texts|text messages|messages|sms(?:es)?)\b"
    r"(?!\s+(?:by|in|from (?!you|your|this|here)|at|between)\b)",
    rf"(?<!n't )(?<!not )\b(?:stop|quit) sending(?: (?:me|us))? {_ANY}{_TEXTS}\b",
    r"(?<!got )(?<!get )(?<!was )(?<!were )(?<!have )(?<!had )(?<!is )(?<!see )(?<!'s )(?<!received )\b"
    r"(?:no more|no) (?:texts?|text messages?|texting|sms|marketing messages|promotional messages)\b(?:"
    r" please|,|\.|!|$| at all| ever| to)",
    rf"\bplease,? no (?:more )?{_TEXTS}\b",
    r"\b(?:don'?t|do not) (?:want|wish|care)(?: to)?(?: (?:get|receive|have|be getting|be receiving))?(?:"
    rf" you(?: guys| people)? (?:to )?(?:send|sending)(?: me)?)? {_ANY}{_TEXTS}\b",
    r"\b(?:don'?t|do not) (?:want|wish) (?:(?:you(?: guys| people)?|anyone|anybody) (?:to )?(?:text|message|sms"
    r"|contact)(?:ing)?|(?:to )?(?:be )?(?:texted|messaged|contacted))\b",
    rf"\b(?:rather|prefer) (?:to )?not (?:to )?(?:get|receive|have|be) (?:{_ANY}{_TEXTS}|texted|messaged)\b",
    r"\b(?:told|asked) you (?:guys |people |all )?(?:not to|to stop|to quit) (?:text|send|contact|messag)",
    r"\b(?:(?:take|remove|get|delete|scratch|drop) (?:me|us|my (?:number|name|phone)|this number)(?: please)?"
    rf"|be (?:taken|removed|deleted|dropped)) (?:off|from|out)(?: of)? (?:of )?(?:{_LIST}|the lists? for"
    rf" {_TEXTS}\b)",
    r"\b(?:remove|delete|lose|forget|erase) my (?:phone )?number\b",
    r"\bunsubscribe\b|\bopt(?:ing)? (?:me )?out\b|\bdo[- ]not[- ](?:contact|text) list\b",
    rf"\bno (?:me|nos) (?:{_SPANISH_SEND}|ponga[ns]?|deje[ns]?) (?:mas |ningun |ni un |los |esos |estos |un |el "
    rf"|ese |nada de )*{_SPANISH_TEXTS}\b",
    r"\bno (?:me|nos) (?:escriba|textee|mensajee|contacte|moleste)[ns]?\b(?! el | la | un )",
    r"\bno (?:me|nos) vuelva[ns]? a (?:escribir|textear|contactar|molestar)\b",
    rf"\bno (?:me|nos) vuelva[ns]? a (?:mandar|enviar) (?:\w+ ){{0,2}}(?:{_SPANISH_TEXTS}|nada)\b",
    r"\bno (?:quiero|deseo|queremos|deseamos) (?:recibir |que (?:me|nos) (?:manden?|envien?|escriban?) )?(?:mas "
    rf"|ningun |sus |tus |esos |un |el |los |nada de )*{_SPANISH_TEXTS}\b",
    r"\bno (?:quiero|deseo) que (?:me|nos) (?:escriban?|texteen?|contacten?|(?:manden?|envien?) nada)\b",
    rf"\b(?:paren?|detengan?) (?:ya )?(?:con |de mandar |de enviar )?(?:todos )?(?:los|sus|esos|estos|tantos)"
    rf" {_SPANISH_TEXTS}\b",
    rf"(?<!no )\b(?:dej(?:e|en|a|es)|paren?|basta) de (?:mandar|enviar)(?:me|nos)? (?:\w+ ){{0,2}}"
    rf"{_SPANISH_TEXTS}\b",
    r"(?<!no )\bdej(?:e|en|a|es) de (?:mandarme|enviarme|escribirme|textearme|molestarme|contactarme)\b",
    rf"(?<!no )\bquiero dejar de recibir (?:\w+ ){{0,2}}{_SPANISH_TEXTS}\b",
    rf"\bprefiero (?:que )?no (?:recibir|(?:me|nos) {_SPANISH_SEND}) (?:\w+ ){{0,2}}{_SPANISH_TEXTS}\b",
    r"\bprefiero que no (?:me|nos) (?:escriban?|texteen?|contacten?)\b",
    r"\bno (?:autorizo|permito|doy (?:mi )?(?:permiso|consentimiento|autorizacion))\b.{0,30}\b(?:mensaje|texto"
    r"|sms|escriban?|contacten?)",
    rf"\b(?:nada de|no mas|no) (?:mas )?{_SPANISH_TEXTS}\b(?= *(?:$|[,.!;]|por favor|mas\b))",
    rf"\bsin {_SPANISH_TEXTS},? por favor\b",
    r"\bcancel(?:ar|e|en) (?:los|sus|esos|estos|todos los) (?:mensajes|mensajitos|textos|sms)\b",
    r"\b(?:dar(?:me|nos)|den?me|me den?) de baja de (?:los |sus |la |las )?(?:mensajes|textos|sms|listas?)\b",
    r"\b(?:quit|saqu|elimin|borr)(?:e|u?e|a)n?me de (?:su|la|esa|tu|todas) (?:\w+ )?listas?\b",
    r"\b(?:borre|elimine|quite)n? mi numero\b",
)

_SUSPECTED = _any_of(
    rf"\b(?:don'?t|do not) (?:have|need) to (?:text|message|sms|send(?: me)? {_ANY}(?:{_TEXTS}))\b",
    rf"\bno need (?:to (?:text|message|sms|send(?: me)? {_ANY}{_TEXTS})|for {_ANY}{_TEXTS})\b",
    rf"\b(?:don'?t|do not) need {_ANY}{_TEXTS}\b",
    rf"\b{_TEXTS} (?:is|are|isn'?t|aren'?t|won'?t be|will be)(?: not| really)*(?: not)? (?:un)?necessary\b",
    r"\b(?:rather|prefer)\b.{0,30}\b(?:than|over|instead of|not)(?: a| by| via)? (?:texts?|sms|text messages?"
    r"|messages)\b",
    rf"\b(?:don'?t|do not|can'?t|cannot) (?:really |actually )?(?:do|use|read|get|receive|like|check|care for) "
    rf"{_ANY}(?:texts|text messages|texting|sms|my texts)\b",
    r"(?<!if )(?<!when )\b(?:i|we) (?:don'?t|do not|never) text\b(?! you\b)",
    rf"\b(?:not big on|not a fan of|never agreed to|never asked for|never signed up for) {_ANY}{_TEXTS}\b",
    rf"\b(?:don'?t think|not sure|doubt) (?:that |if |whether )?(?:i|we) (?:want|need|like) {_ANY}{_TEXTS}\b",
    r"\b(?:instead of|rather than) (?:texting|texts?|an? text|by text)\b",
    rf"\bdon'?t bother (?:texting|messaging|sending (?:me |us )?{_ANY}{_TEXTS})\b",
    rf"\b{_NOT} send (?:me |us )?(?:it|that|this|them|anything) (?:by|in|as|via) (?:an? )?(?:text|sms)\b",
    r"\btext(?:s|ing| messages)? (?:doesn't|don't|does not|do not|won't) (?:really )?work\b",
    r"\bno me gustan? (?:recibir |que me manden )?(?:los |sus )?(?:mensajes|textos|sms)\b",
    r"\b(?:en vez|en lugar) de (?:un |por |los )?(?:mensajes?|textos?|sms)\b",
    r"\b(?:dar(?:me|nos)|den?me|me den?) de baja\b",
    r"\b(?:hate|sick of|tired of|annoyed by|enough of|too many)(?: (?:getting|all))?(?: of)?(?: (?:these"
    r"|those|the|your|all))* (?:texts|text messages|sms|spam)\b",
    r"\b(?:don'?t|do not|never|stop|quit) (?:ever )?call(?:ing)? me (?:again|anymore|any more|ever)\b|\bstop"
    r" calling me\b|\bdo[- ]not[- ]call list\b",
    r"\b(?:take|remove|get) (?:me|us) (?:off|from)(?: of)? (?:the|this|that) list\b(?! for\b)",
    r"\bleave me alone\b",
    r"\bno (?:hace falta|es necesario|tiene que|necesito)\b.{0,30}\b(?:mensaje|texto|sms)",
    r"\bno me (?:llame|llamen|llames) mas\b",
)

_COMMAND = re.compile(r"(?:do not|don'?t|never) (?!(?:want|wish|care|have)\b)", re.IGNORECASE)
# Who is told not to, and when: "why don't you …", "if you don't text me", "they never text me".
_OTHERS_HABIT = re.compile(
    r"\b(?:why|if|unless|you|they|he|she|it|who|people|nobody|guys|when|because|i|we|mind)\s+(?:just\s+)?$",
    re.IGNORECASE,
)
_TOLD_YOU = re.compile(
    r"\b(?:told|telling|tell|asked|asking) (?:you|them)(?: guys| people| all)?\s+$", re.IGNORECASE
)
# "I never said don't text me", "I don't want to opt out", "my mother wants me to stop texting".
_NOT_MEANT = re.compile(
    r"(?:\bnever|n't|\bnot) (?:say|said|saying|tell|told|telling|ask|asked|asking)\b[^.,;:!?]*$"
    r"|(?:n't|\bnot|\bnever) (?:(?:want(?:ed|ing)?|wish|like|going|planning|trying) to )?$"
    r"|\b(?:me|him|her) to $",
    re.IGNORECASE,
)
_LEAVES = re.compile(r"stop|quit|cease|unsubscribe|opt", re.IGNORECASE)
_OTHERS_TEXTS = re.compile(r"^\s*(?:him|her|them|people|each other|and driving|while driving)\b", re.IGNORECASE)
_SOMEBODY_ELSE = re.compile(
    r"\b(?:she|he|they|mom|mother|sister|brother|boss|wife|husband|friend)\s+(?:said|says|told \w+|was"
    r" like)\b[^.!?]*$",
    re.IGNORECASE,
)
_ONE_THING_OR_TIME = re.compile(
    r"^\s*(?:(?:the|that|this|those|my|his|her|an?|it|about|while|before|after|until|till|during|tonight"
    r"|today|now|yet|later|earlier|past|except|unless|when|if|because|at (?:night|work|\d)|in the"
    r"|on (?:the )?(?:week|mon|tues|wednes|thurs|fri|satur|sun)\w+|again (?:until|till|before))\b)",
    re.IGNORECASE,
)
_ANOTHER_NUMBER = re.compile(r"^\s*my (?!number\b|phone\b|cell\b)\w+|^\s*the (?:old|other|wrong)\b", re.IGNORECASE)
_BUSY = re.compile(r"\b(?:i'm|i am|while) (?:driving|at work|in an? meeting|asleep|sleeping|busy)\b", re.IGNORECASE)
_ONE_SPANISH_THING = re.compile(
    r"^no (?:me|nos) \w+ (?:el|ese|este|un) (?:mensaje|mensajito|texto|sms)$", re.IGNORECASE
)
_SPANISH_TIME = re.compile(
    r"^\s*(?:(?:hasta|antes|despues|ahora|hoy|todavia|mientras|durante|tan|tarde|(?:en|por) la noche|de noche)\b)",
    re.IGNORECASE,
)
_CONDITIONAL = re.compile(
    r"\b(?:what (?:if|happens)|(?:can|could) (?:i|people) (?:still|later|always))\b", re.IGNORECASE
)
_SOMEBODYS = re.compile(r"^\s*(?:for )?my (?!self\b)\w+(?:'s)?\b", re.IGNORECASE)
_WELCOME_AGAIN = _any_of(
    r"(?<!not )(?<!n't )\b(?:you can|you may|go ahead and|okay to|fine to|please|yes,?|sure,?|just) (?:text"
    r"|message) me\b",
    r"(?<!not )(?<!n't )\b(?:you can|you may|go ahead and|please|yes,?|sure,?|just) send (?:me )?(?:a|the"
    r"|that) (?:text|message|sms)\b",
)
_OFFERS_TEXT = re.compile(
    r"\b(?:would you like|do you want|want me to|should i|shall i|can i|may i|could i|can we|may we|is it "
    r"(?:ok|okay|alright)|okay if)\b(?![^.?!]*\b(?:take|leave) a message\b)[^.?!]*\b(?:text|texts|sms|text"
    r" message|message)\b",
    re.IGNORECASE,
)
_TEXT_INSTEAD = _any_of(r"\btext me instead\b", r"\bjust text\b")
_NO = re.compile(
    r"^\W*(?:(?:oh|um|uh|well|actually|hmm?|ah),? )*(?:no\b|nope\b|nah\b|i'?d rather not|rather not|not"
    r" necessary|that'?s not necessary|please don'?t|don'?t)",
    re.IGNORECASE,
)
_YES_AFTER_ALL = _any_of(
    r"\bno (?:problem|worries|objection)",
    r"\b(?:yes|sure|please do|go ahead|of course|that'?d be|would be (?:great|good))\b",
)


def asked_not_to_be_texted(turns: Sequence[Turn]) -> tuple[Objection, Evidence] | None:
    """The customer's objection to being texted, or None. `explicit` leaves no doubt; `suspected` wants a person's
    look: one particular text, a "no" to an offered one, a wish that was taken back."""
    suspected: Evidence | None = None
    explicit: Evidence | None = None
    offered = False
    for number, turn in enumerate(turns, 1):
        if turn.role == "agent":
            offered = bool(_OFFERS_TEXT.search(turn.text))
            continue
        if turn.role != "customer":
            continue
        said = _plain(turn.text)
        objection = _objection(turn.text, said)
        if objection is None and offered and _NO.search(said) and not _YES_AFTER_ALL.search(said):
            objection = "suspected", turn.text.strip()[:QUOTE_CHARACTERS]
        offered = False
        if objection is None:
            if explicit and _WELCOME_AGAIN.search(said):
                suspected, explicit = explicit, None
            continue
        kind, quote = objection
        if kind == "explicit":
            explicit = explicit or Evidence(number, quote)
        suspected = suspected or Evidence(number, quote)
    if explicit:
        return "explicit", explicit
    return ("suspected", suspected) if suspected else None


def _objection(text: str, said: str) -> tuple[Objection, str] | None:
    """`said` is `text` as the patterns want it."""
    weak: re.Match[str] | None = None
    for found in _EXPLICIT.finditer(said):
        before, after = said[: found.start()], said[found.end() :]
        if _is_no_objection(found.group(), before, after):
            continue
        if not _is_narrow(found.group(), before, after):
            return "explicit", _sentence(text, found)
        weak = weak or found
    if not _TEXT_INSTEAD.search(said):
        weak = weak or _SUSPECTED.search(said)
    return ("suspected", _sentence(text, weak)) if weak else None


def _is_no_objection(words: str, before: str, after: str) -> bool:
    """Whether such words are about somebody else's habit, or the opposite of what they seem."""
    if _COMMAND.match(words) and _OTHERS_HABIT.search(before) and not _TOLD_YOU.search(before):
        return True
    if _LEAVES.match(words):
        return bool(_NOT_MEANT.search(before) or _OTHERS_TEXTS.search(after))
    return bool(_COMMAND.match(words) and _NOT_MEANT.search(before))


def _is_narrow(words: str, before: str, after: str) -> bool:
    """Whether it may be meant of one thing, one time or another number only, or is somebody else's word."""
    if _SOMEBODY_ELSE.search(before) or _BUSY.search(before) or _BUSY.search(after):
        return True
    if _COMMAND.match(words):
        return bool(_ONE_THING_OR_TIME.search(after))
    if _LEAVES.match(words):
        return bool(_ANOTHER_NUMBER.search(after) or _SOMEBODYS.search(after) or _CONDITIONAL.search(before))
    return bool(_ONE_SPANISH_THING.match(words) or _SPANISH_TIME.search(after))


def _sentence(text: str, found: re.Match[str]) -> str:
    """The sentence of `text` that `found` stands in, verbatim."""
    return _sentence_at(text, found.start(), found.end())


def _sentence_at(text: str, start: int, end: int, limit: int = QUOTE_CHARACTERS) -> str:
    """The sentences of `text` from the one at `start` to the one at `end`; only what stands between the two where
    that is longer than `limit`."""
    starts = [stop.end() for stop in _SENTENCE_END.finditer(text, 0, start)]
    stop = _SENTENCE_END.search(text, end)
    quote = text[starts[-1] if starts else 0 : stop.end() if stop else len(text)].strip()
    return quote if len(quote) <= limit else text[start:end][:limit].strip()
