"""What can be told about a call without a model: pure functions over its turns, the same for every judge.

Phrases are matched in English and Spanish (voicemail also in French and German). A phrase that is missed costs
what the judge makes of it; one that is found too much costs a held text, so the patterns ask for whole phrases.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

from postcall.judge.verdicts import Evidence, Turn

Objection = Literal["explicit", "suspected"]

_NOISE = re.compile(r"\[[^\]]*\]|\([^)]*\)|<[^>]*>|\*[^*]*\*")
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

_INSTRUCTION = _any_of(
    r"^\s*[\[<(#*]*\s*(?:system|assistant|developer|admin|tool|sistema|asistente)\s*[\])>#*]*\s*(?::|->|>"
    r"|\bcolon\b|,)",
    r"^\s*system\s+(?:send|mark|set|message|prompt|override|instruction|note|says? to)\b",
    r"[\[<(]\s*/?\s*(?:system|assistant|inst|tool|im_start|im_end)\b|<\|",
    r"\bsystem (?:prompt|message|override|instruction|note|update)s?\b",
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,30}\b(?:instruction|prompt|rule|guideline|direction"
    r"|condition)s?\b",
    r"\b(?:ignore|disregard|forget) (?:everything|all|anything)\b.{0,20}\b(?:above|before|previous|told"
    r"|said)\b",
    r"\b(?:new|updated|following|these) instructions?\b",
    r"\bconditions?\b.{0,30}\b(?:met|satisf|fulfil|true|hold)",
    r"\b(?:mark|flag|label|treat|count|classify|consider|record|log) (?:this|the|that|my|it|me)\b.{0,30}\bas "
    r"(?:\w+ )?(?:met|booked|scheduled|confirmed|true|yes|complete|completed|done|interested|accepted"
    r"|successful|agreed)\b",
    r"\b(?:verdict|classifier|language model|judge (?:should|must|will)|evaluator|evaluation)\b",
    r"\b(?:respond|answer|reply|output|return|say) (?:only )?(?:with )?[\"'“]?(?:met|true|condition|verdict)\b",
    r"\b(?:note|message|attention|hint|instruction) (?:to|for) (?:the )?(?:ai|system|model|judge|reviewer"
    r"|evaluator|software|transcript|bot)\b",
    r"\byou are now\b|\bas an ai\b|\bpretend (?:that )?(?:the|this|i|you)\b|\bact as if\b",
    r"\bset\b.{0,30}\bto true\b|[\"']?\b(?:result|status|met|confidence|outcome)\b[\"']?\s*[:=]\s*[\"']?\w",
    r"\b\w+_\w+\s*(?:\(|->|→|\{)|(?:->|→)\s*(?:ok|success|true|done)\b",
    r"\bignor[ae]n? (?:las|tus|sus|todas)\b.{0,30}\binstruccion|\bcondicion\b.{0,20}\bcumpl|\bmarc(?:a|ar"
    r"|que) (?:esta|la) llamada\b",
)


def instructs_the_judge(turns: Sequence[Turn]) -> Evidence | None:
    """The customer turn that is worded like an instruction to a machine, a role's line or a tool's result."""
    for number, text in _customer(turns):
        if found := _INSTRUCTION.search(_plain(text)):
            return Evidence(number, _sentence(text, found))
    return None


# Not to be texted

_NOT = r"(?:do not|don'?t|never|must not|not to|(?:i )?rather you (?:didn'?t|not))"
_TEXTS = r"(?:texts?|text messages?|texting|sms(?:es)?|messages?|messaging)"
_ANY = (
    r"(?:any |any more |more |no more |a |an |the |that |those |these |your |this |such |another |further"
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
    starts = [end.end() for end in _SENTENCE_END.finditer(text, 0, found.start())]
    start = starts[-1] if starts else 0
    end = _SENTENCE_END.search(text, found.end())
    quote = text[start : end.end() if end else len(text)].strip()
    return quote if len(quote) <= QUOTE_CHARACTERS else text[found.start() : found.end()][:QUOTE_CHARACTERS].strip()
