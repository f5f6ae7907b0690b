"""Find sentences.

One left-to-right scan over groups of terminators; each decision looks at a bounded window, so
that ten megabytes without a paragraph take linear time. Tables by language: abbreviations,
words that start sentences, verbs of saying.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from voice.script.characters import primary, word_set

_TERMINATOR = re.compile(r"(?:[.!?…]|(?<=\.) (?=\.(?:\s|$|[.”’\"')])))+|[。！？｡؟।]+")
_CLOSERS = "\"'”’»)]}›"
_OPENERS = "\"'“‘«([{‹„‚¡¿"
_WINDOW = 96

_INITIALS = re.compile(r"(?:^|[^\w'’.])(?:[^\W\d_]\.[ -]?){0,6}[^\W\d_]$")
_ACRONYM = re.compile(r"(?:^|[^\w])(?:[^\W\d_]\.){1,8}[^\W\d_]$")
_LAST_WORD = re.compile(r"([^\W_]+(?:['’.][^\W_]+)*)$")
_NEXT_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ENUMERATOR = re.compile(r"\(?(?:\d{1,3}|[ivxlcdmIVXLCDM]{1,6}|[A-Za-z])$")


@dataclass(frozen=True, slots=True)
class SentenceRules:
    """What a language needs to know to split sentences.

    Attributes
    ----------
    titles
        Abbreviations that are always followed by their name: never the end.
    abbreviations
        Abbreviations that may end a sentence, if what follows clearly starts one.
    before_number
        Abbreviations only when a number follows ("No. 5"), otherwise ordinary words.
    after_number
        Abbreviations only when a number stands in front ("6 in. wide").
    starters
        Capitalised words that usually start a sentence.
    sayings
        Verbs that follow quoted speech.
    """

    titles: frozenset[str]
    abbreviations: frozenset[str]
    before_number: frozenset[str]
    after_number: frozenset[str]
    starters: frozenset[str]
    sayings: frozenset[str]


_ENGLISH = SentenceRules(
    titles=word_set(
        "mr mrs ms dr messrs mme mlle m prof rev fr sr sra gen col maj capt cmdr lt sgt cpl "
        "pvt adm gov sen rep hon pres supt insp det st ste mt ft v vs cf viz ie eg i.e e.g "
        "ca approx al esq's mx bros"
    )
    - {"al", "ft", "v"},
    abbreviations=word_set(
        "etc al jr sr esq inc ltd co corp llc plc bros ave blvd rd ln sq dept univ assn est "
        "a.m p.m am pm a.d b.c ad bc b.c.e c.e u.s u.k u.s.a u.n e.u ph.d m.d b.a m.a d.c "
        "q.v n.b p.s r.s.v.p ibid op cit ff jan feb mar apr jun jul aug sept sep oct nov dec "
        "mon tue tues wed thu thur thurs fri calif mass conn penn tenn ill ala ariz ark colo "
        "fla ga ind kan ky la md mich minn miss mont neb nev okla ore tex va vt wash wis wyo "
        "mts bros vols nos gens n.e n.w s.e s.w s.s.e n.n.e"
    ),
    before_number=word_set(
        "no nos vol vols ch chap chaps sec secs art arts fig figs p pp pt par para l ll bk eq "
        "ed n nn op cap tab pl plates app ser ver c ca circa jan feb mar apr jun jul aug sept "
        "sep oct nov dec"
    ),
    after_number=word_set(
        "in ft yd yds mi oz lb lbs cwt hr hrs min mins sec secs s d cm mm km kg g m sq cu gal pt "
        "qt bu deg lat long"
    ),
    starters=word_set(
        "A An The This That These Those He She It They We You I In On At By For From With Without "
        "And But Or Nor So Yet If When While As After Before Because Since Until Though Although "
        "Then There Here Now Once Thus Hence What Why How Who Where Which His Her Its Their Our "
        "My Your No Not Yes Oh Ah Well Some Many Most All Every Each One Two Both Another Such "
        "Still Even Only Just Perhaps Maybe Also However Moreover Meanwhile Later Soon Suddenly "
        "Nothing Everything Everyone Nobody Never Always To Of Do Did Does Is Are Was Were Had Has"
    ),
    sayings=word_set(
        "said says say asked asks cried cries replied replies answered answers shouted shouts "
        "exclaimed whispered murmured muttered inquired enquired demanded continued added began "
        "called remarked observed returned rejoined retorted declared repeated groaned moaned "
        "sighed laughed gasped screamed yelled roared snapped growled hissed thought interrupted "
        "interposed suggested explained announced responded protested agreed admitted insisted "
        "ventured stammered faltered sobbed wailed bellowed barked commented went put pursued"
    ),
)

_GERMAN = SentenceRules(
    titles=word_set("hr fr dr prof st bzw ca vgl sog geb evtl ggf inkl z.b d.h u.a i.d.r o.ä z.t"),
    abbreviations=word_set("usw etc u.s.w co gmbh jh jr sen a.d v.chr n.chr"),
    before_number=word_set("nr bd s kap art abb abs"),
    after_number=word_set("jan feb mär apr jun jul aug sept okt nov dez"),
    starters=word_set("Der Die Das Ein Eine Er Sie Es Ich Wir Und Aber Doch Da Dann Wenn Als In"),
    sayings=word_set("sagte fragte rief antwortete flüsterte murmelte meinte erwiderte"),
)
_FRENCH = SentenceRules(
    titles=word_set("m mm mme mmes mlle mlles dr pr me mgr st ste cf p.ex c.-à-d"),
    abbreviations=word_set("etc av apr j.-c éd"),
    before_number=word_set("n no nº vol chap fig p pp art t"),
    after_number=frozenset(),
    starters=word_set("Le La Les Un Une Il Elle Ils Elles On Je Tu Nous Vous Ce Cette Et Mais Or"),
    sayings=word_set("dit demanda répondit cria murmura fit reprit ajouta"),
)
_SPANISH = SentenceRules(
    titles=word_set("sr sra srta sres dr dra d dña don prof ud uds vd vds p.ej"),
    abbreviations=word_set("etc ee.uu a.c d.c cía"),
    before_number=word_set("n núm vol cap fig pág págs art"),
    after_number=frozenset(),
    starters=word_set("El La Los Las Un Una Él Ella Yo Y Pero No Si Cuando Como En Se"),
    sayings=word_set("dijo preguntó respondió gritó murmuró exclamó contestó"),
)
_ITALIAN = SentenceRules(
    titles=word_set("sig sigg sig.ra sig.na dott dott.ssa prof avv ing on s ecc p.es"),
    abbreviations=word_set("etc a.c d.c"),
    before_number=word_set("n vol cap fig pag pagg art p pp"),
    after_number=frozenset(),
    starters=word_set("Il La Lo I Gli Le Un Una Egli Ella Io Ma E Non Si Quando Come In"),
    sayings=word_set("disse chiese rispose gridò mormorò esclamò"),
)

RULES: dict[str, SentenceRules] = {
    "en": _ENGLISH,
    "de": _GERMAN,
    "fr": _FRENCH,
    "es": _SPANISH,
    "it": _ITALIAN,
}
"""Rules by primary language subtag; other languages use the English ones."""


def split_sentences(text: str, language: str = "en") -> list[tuple[int, int]]:
    """Find the sentences of a paragraph.

    Parameters
    ----------
    text
        One paragraph.
    language
        BCP 47 tag; chooses the tables.

    Returns
    -------
    list of (int, int)
        Start and end of each sentence in `text`, without the space around it. Everything that
        is not space lies in exactly one of them.

    Examples
    --------
    >>> text = "Mr. Smith left at 5 p.m. He said: “Why?” and no more."
    >>> [text[a:b] for a, b in split_sentences(text)]
    ['Mr. Smith left at 5 p.m.', 'He said: “Why?” and no more.']
    """
    rules = RULES.get(primary(language), _ENGLISH)
    spans: list[tuple[int, int]] = []
    start = _skip_space(text, 0)
    for match in _TERMINATOR.finditer(text):
        if match.start() < start:
            continue
        end = match.end()
        while end < len(text) and (text[end] in _CLOSERS or text[end : end + 2] == " »"):
            end += 1
        if end >= len(text):
            break
        if _is_boundary(text, start, match.start(), match.end(), end, rules):
            spans.append((start, end))
            start = _skip_space(text, end)
    if start < len(text):
        stop = len(text)
        while stop > start and text[stop - 1].isspace():
            stop -= 1
        if stop > start:
            spans.append((start, stop))
    return spans


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _is_boundary(
    text: str, start: int, first: int, last: int, end: int, rules: SentenceRules
) -> bool:
    """Decide whether the terminators ``text[first:last]`` (closers to `end`) end a sentence."""
    mark = text[first:last]
    if not any(character.isalnum() for character in text[max(start, first - _WINDOW) : first]):
        return False  # "… By the way": nothing was said yet
    if mark[0] in "。！？｡؟।":
        return True
    closed = end > last
    following = text[end : end + _WINDOW]
    if not following[:1].isspace():
        # "done.”Next" lacks a space; "3.14", "e.g.x", "a.b" and "no!”—he" do not.
        return closed and following[:1].isupper() and text[last] in '”"»' and mark[-1] != "’"
    following = following.lstrip()
    if not following:
        return True
    word = _NEXT_WORD.match(following.lstrip(_OPENERS + "-–—"))
    opener = following[0] in _OPENERS
    lower = word is not None and word.group()[0].islower()
    if following[0] in "—–-" and not (word is not None and not lower and not closed):
        return False
    if mark == ".":
        return _period_ends(text, start, first, following, word, opener, closed, rules)
    if lower and not opener:
        return False
    if closed and not opener and _is_saying(following, rules):
        return False
    if "…" in mark or mark.count(".") > 1:
        return (opener or not lower) and not _continues_with_i(following)
    # A bracketed or quoted exclamation inside a sentence: "he (oh!) Smith" stays together.
    return True


def _continues_with_i(following: str) -> bool:
    return bool(re.match(r"I(?:['’]\w+)?\s", following))


def _is_saying(following: str, rules: SentenceRules) -> bool:
    """Say whether a speech tag follows: "I said", "Mr. Smith cried", "the old man asked"."""
    words = re.findall(r"[^\W\d_]+", following)[:5]
    for count, word in enumerate(words):
        if word in rules.sayings:
            return count > 0 or word[0].islower()
        name = word[0].isupper() or word in {"old", "young", "other", "man", "woman"}
        if count and not name and words[0] not in {"The", "My", "His", "Her", "Our", "A"}:
            return False
    return False


def _period_ends(
    text: str,
    start: int,
    first: int,
    following: str,
    word: re.Match[str] | None,
    opener: bool,
    closed: bool,
    rules: SentenceRules,
) -> bool:
    before = text[max(start, first - _WINDOW) : first]
    lower = word is not None and word.group()[0].islower()
    numeric = following.lstrip(_OPENERS)[:1].isdigit()
    if lower and not opener:
        return False
    if closed:
        return not _is_saying(following, rules) or opener
    starter = opener or (word is not None and word.group().split("’")[0] in rules.starters)
    if first - start <= 6 and _ENUMERATOR.fullmatch(before):
        return False  # "1. The first", "IV. DEATH BY WATER"
    found = _LAST_WORD.search(before)
    if found is None:
        return True
    last = found.group(1).lower().replace("’", "'")
    preceded = before[: found.start()].rstrip()
    if last in rules.after_number and preceded[-1:].isdigit():
        return starter
    if last in rules.before_number and (numeric or _roman_follows(following)):
        return False
    if last in rules.titles:
        return last == "st" and starter and not opener and word is not None and _is_street(preceded)
    if last in rules.abbreviations:
        return starter
    if len(last) == 1 or _ACRONYM.search(before):
        return _initial_ends(before, found.group(1), starter, word, opener)
    return True


def _roman_follows(following: str) -> bool:
    return bool(re.match(r"[IVXLCDM]+\b", following, re.I)) and not following.startswith("I ")


def _is_street(preceded: str) -> bool:
    """Say whether "St." after `preceded` is a street: a capitalised name stands in front."""
    name = _LAST_WORD.search(preceded)
    return name is not None and name.group(1)[0].isupper()


def _initial_ends(
    before: str, last: str, starter: bool, word: re.Match[str] | None, opener: bool
) -> bool:
    """Decide after a single letter or "U.S.A."."""
    if opener:
        return True
    name_follows = word is not None and not starter
    if last == "I" and not _INITIALS.search(before[:-1].rstrip(". ")):
        return starter or name_follows is False
    return starter and word is not None and word.group() not in {"A", "I"}
