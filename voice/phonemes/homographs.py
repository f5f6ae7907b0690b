"""Words that one spelling does not settle: senses the part of speech cannot tell apart.

The lexicons choose by part of speech (``record``, ``live``, ``close``). Here are the words for
which that is wrong or not enough, each with the words around it that decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Pair = tuple[str, str]
Rule = Callable[["Context"], bool]


class Context:
    """The neighbourhood of a word: two words before, two after, its tag."""

    def __init__(self, words: Sequence[str], index: int, tag: Callable[[], str]) -> None:
        def at(i: int) -> str:
            return words[i].lower() if 0 <= i < len(words) else ""

        self.written = words[index]
        self.word = self.written.lower()
        self.before, self.before2 = at(index - 1), at(index - 2)
        self.after, self.after2 = at(index + 1), at(index + 2)
        self._near = [at(i) for i in range(index - 7, index + 8) if i != index]
        self._tag = tag

    @property
    def tag(self) -> str:
        """Part of speech, worked out when first asked for."""
        return self._tag()

    def near(self, words: frozenset[str]) -> bool:
        """Say whether any of `words` is within seven words."""
        return any(word in words for word in self._near)

    @property
    def noun(self) -> bool:
        """Whether it is a noun."""
        return self.tag in ("NN", "NNP")

    @property
    def verb(self) -> bool:
        """Whether it is a verb in any form."""
        return self.tag.startswith("VB")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MODALS = _words(
    "to will would shall should can could may might must do does did don't didn't doesn't "
    "won't wouldn't couldn't can't shan't i'll you'll he'll she'll we'll they'll let's please never"
)
_HAVE = _words("have has had having i've you've we've they've he'd she'd i'd you'd 've haven't hasn't hadn't")
_BE = _words("is are was were be been being am it's he's she's i'm you're we're they're isn't wasn't get got")
_DETERMINERS = _words("the a an this that my your his her its our their some no any every each another one")
_METAL = _words(
    "pipe pipes metal metals poisoning roof roofing paint bullet bullets pencil zinc tin copper iron weight "
    "weights coffin sheet sheets molten melted heavy grey gray acetate oxide mine mines shot solder"
)
_ARCHERY = _words(
    "arrow arrows arrow's archer archers string violin fiddle cello tie ribbon ribbons hair ties quiver hunter "
    "cross long strung bent yew neck knot tied silk pink satin rainbow viola"
)
_SHIP = _words("ship boat ships stern port starboard deck vessel waves wave oar oars steamer yacht bowsprit sea launch")
_COURTESY = _words("low deep slight stiff polite courtly formal little graceful profound ceremonious made make makes "
                   "making gave give gives took take returned curtsy curtsey sweeping mock elaborate")  # fmt: skip
_QUARREL = _words(
    "kick kicked kicking what's blazing awful fearful frightful terrible devil dickens deuce noise shindy domestic "
    "had flaming infernal unholy stand-up big family"
)
_ROWS = _words("front back second third first in of houses seats chairs boat trees teeth desks cottages nice hard")
_RIP = _words("jacket dress shirt coat skirt trousers cloth fabric seam paper muscle ligament wear sleeve curtain sail stocking")
_FISH = _words("fish fishing river caught lake sea angler striped perch pike trout catch fished fishermen")
_TIME_AFTER = _words("hand hands book later ago and or more before after past to")
_NUMB = _words("fingers toes feet hands lips with grew legs arm face")


def _lead_metal(c: Context) -> bool:
    if c.word == "leaden":
        return True
    if c.before in _MODALS or c.verb:
        return False
    if c.after in _METAL or c.before in _words("molten white red black sheet pure melted like"):
        return True
    return c.before in _words("of in with made as") and c.before2 not in _words("in take took taken") and (
        c.after in _words(", . ; : ! ? and or") or not c.after
    ) and (c.before != "in" or c.near(_METAL))


def _led(c: Context) -> bool:
    return c.before in _MODALS  # never "led": only to keep the shape of the table plain


def _bow_bend(c: Context) -> bool:
    if c.word in ("bowed", "bowing"):
        return not c.near(_words("legs legged string strings violin"))
    if c.near(_ARCHERY) and not c.verb:
        return False
    if c.verb or c.before in _MODALS:
        return True
    if c.near(_SHIP) or c.before in ("a", "the") and c.before2 in _words("with made took take gave"):
        return True
    return c.near(_COURTESY)


def _row_quarrel(c: Context) -> bool:
    if c.word == "rows" and not c.near(_words("blazing domestic family furious angry violent")):
        return False
    if c.verb or c.after == "of" or c.before in ("in", "front", "back", "each", "second", "third"):
        return False
    return c.near(_QUARREL) and (c.before in _DETERMINERS or c.before in _QUARREL or c.noun)


def _tear_rip(c: Context) -> bool:
    if c.word == "tearing" or c.verb or c.before in _MODALS:
        return True
    return c.near(_RIP) or (c.word == "tear" and c.before in ("a", "the") and c.after == "in" and c.after2 in _DETERMINERS)


def _read_past(c: Context) -> bool:
    if c.before in _MODALS or c.before2 in _MODALS - _words("please never") and c.before not in _HAVE | _BE:
        return False
    if c.before in _HAVE or c.before2 in _HAVE or c.before in _BE:
        return True
    if c.before in _words("i you we they who") and c.near(_words("every always usually often daily sometimes")):
        return False
    if c.before in _words("he she it") or c.word == "misread":
        return True
    return c.tag in ("VBD", "VBN", "JJ")


def _wound_turned(c: Context) -> bool:
    if c.before in _DETERMINERS or c.before in _MODALS or c.noun:
        return False
    if c.after in _words("up down round around through along its itself his her the about back off in on"):
        return True
    return c.tag in ("VBD", "VBN") or c.before in _words("he she it they road path who and river")


def _wind_turn(c: Context) -> bool:
    if c.before in _DETERMINERS or c.before in _words("of strong high cold east west north south"):
        return False
    return c.before in _MODALS or (c.verb and c.after in _words(
        "up down it the its his her your my round around through along back in out on about from")) or (
        c.tag == "VB" and c.before in _words("i you we they and rivers roads paths which that"))  # fmt: skip


def _minute_tiny(c: Context) -> bool:
    if c.before in _words("one a each every last first next any this that half ten five two per the") and (
        c.after in _TIME_AFTER or not c.after.isalpha()
    ):
        return False
    degree = _words("very so too most more extremely quite rather such")
    if c.before in degree or c.after in _words("particles detail details quantities quantity traces amounts amount "
                                               "examination inspection description particle fragments creatures specks "
                                               "scrutiny crystals portions hole holes"):  # fmt: skip
        return True
    return c.tag == "JJ" and c.before not in _DETERMINERS and not c.before.isdigit() and c.before in _BE


def _bass_fish(c: Context) -> bool:
    return c.near(_FISH) and c.after not in _words("voice drum guitar clef note notes line")


def _bass_music(c: Context) -> bool:
    return not _bass_fish(c)


def _live_verb(c: Context) -> bool:
    if c.before in _MODALS or c.before in _words("i you we they who people"):
        return True
    if c.after in _words("wire wires music broadcast ammunition coals coal animals bait stock show performance bird "
                         "birds chickens hens fowl fowls fish cattle recording audience concert shell rounds"):  # fmt: skip
        return False
    return c.verb


def _lives_noun(c: Context) -> bool:
    if c.before in _words("he she it who that which there mr mrs everybody everyone somebody someone nobody"):
        return False
    if c.before in _words("our their your my his her its of the own many nine lost past private whole these those all "
                          "two three four five six seven eight ten hundred thousand thousands several human innocent save "
                          "saved saving previous former separate inner ordinary"):  # fmt: skip
        return True
    return c.noun


def _close_near(c: Context) -> bool:
    if c.word == "close" and c.before in _MODALS and c.before2 not in _words("used came come"):
        return c.before == "to" and c.after in ("to", "by")
    if c.after in _words("to by behind at beside together upon up friend friends call shave attention on range quarters"):
        return not (c.after in ("at", "up", "on") and c.verb)
    if c.before in _words("the a") and c.after in _words("of"):
        return False
    if c.before in _words("very so too quite as pretty how rather came come stood sat drew draw keep kept stay stayed"):
        return True
    return not c.verb and not (c.noun and c.before in ("the", "a", "its", "his"))


def _does_deer(c: Context) -> bool:
    return c.before in _words("two three four the some many several young bucks stags") and c.noun and (
        c.near(_words("deer bucks buck stags stag fawns forest hinds park herd"))
    )


def _dove_dived(c: Context) -> bool:
    return c.after in _words("into in under off down for beneath headlong over behind from") and c.before in _words(
        "he she it they i we who and then"
    )


def _sow_pig(c: Context) -> bool:
    return c.before in _words("the a old fat prize black white berkshire big his her our your my that this brood breeding") and (
        c.before not in _MODALS
    )


def _sewer_drain(c: Context) -> bool:
    return not c.near(_words("needle thread stitches cloth seamstress sewing"))


def _number_numb(c: Context) -> bool:
    return c.after == "and" and c.after2 == "number" or (
        c.before in _words("grew grow growing getting got felt feel feeling even") and c.near(_NUMB)
    )


def _blessed_adjective(c: Context) -> bool:
    if c.before in _BE | _HAVE or c.after in _words("with by him her me us them you it"):
        return False
    return c.before in _DETERMINERS or c.before in _words("most more every whole of single") or c.after == "are"


def _aged_old(c: Context) -> bool:
    return c.after in _words(
        "man woman men women lady gentleman father mother parent parents aunt uncle relative person face couple p "
        "priest servant king grandmother grandfather butler horse"
    ) or (c.before == "the" and c.after in _words(", . and ; who were are in"))


def _used_accustomed(c: Context) -> bool:
    return c.after == "to" and c.before not in _words("is are be being was were") or (
        c.after == "to" and (c.before in _BE) and (c.after2.endswith("ing") or c.after2 in _DETERMINERS
                             or c.after2 in _words("it them him her me you us being such that"))  # fmt: skip
    )


def _use_noun(c: Context) -> bool:
    if c.before in _MODALS and c.before != "to":
        return False
    if c.before in _words("no any of the some much little what's what in into its his her my your their our is great good a"):
        return not (c.before == "her" and c.verb)
    return c.noun and c.before not in ("i", "you", "we", "they", "to")


def _excuse_noun(c: Context) -> bool:
    if c.after in _words("me my him her us them you yourself") or c.before in _MODALS:
        return False
    return c.before in _DETERMINERS | _words("of without good poor flimsy excellent better") or c.noun


def _house_verb(c: Context) -> bool:
    return c.before in _MODALS and c.after not in ("", ",", ".") and c.verb


def _resume_cv(c: Context) -> bool:
    return c.before in _words("my his her your a the their") and c.noun


def _polish_nation(c: Context) -> bool:
    return c.written[:1].isupper() and bool(c.before) and c.before not in _words(". ! ? “ ” …")


def _moped_sulked(c: Context) -> bool:
    return c.before not in _DETERMINERS and c.before not in _words("on by old new")


def _slough_bog(c: Context) -> bool:
    return c.after != "off" and not c.verb


def _wicked_etc(c: Context) -> bool:
    return not c.verb or c.before in _DETERMINERS


def _august_grand(c: Context) -> bool:
    return c.written.islower() and c.after.isalpha()


def _object_verb(c: Context) -> bool:
    return (c.before in _words("i you we they who don't") or c.before in _MODALS) and (
        c.after in ("to", "", ".", ",", "!", "?", "strongly", "that")
    )


def _invalid_person(c: Context) -> bool:
    return c.before in _words("an the this poor chronic old confirmed helpless your his her my invalid's") and (
        not c.after.isalpha() or c.after in _words("and who in was is had with chair to lady")
    )


def _present_give(c: Context) -> bool:
    if c.before in _words("the a at this his her my your no") or c.after in _words("day state moment time company"):
        return False
    return c.before in _MODALS or (c.tag in ("VB", "VBD") and c.after in _words("to him her me you a the my your itself"))


def _content_happy(c: Context) -> bool:
    return not (c.before in _words("the of its their fat alcohol rich high low moisture") and c.after != "to") or (
        c.before in _words("heart's")
    )


def _desert_leave(c: Context) -> bool:
    if c.before in _words("the a this that vast sandy sahara arabian"):
        return False
    return c.before in _MODALS or c.verb


def _contract_shrink(c: Context) -> bool:
    return c.before in _MODALS and c.before not in ("no",) and c.before2 not in _words("according due subject prior")


def _refuse_rubbish(c: Context) -> bool:
    return c.before in _words("the of kitchen garden household street collect town") and (
        c.after in _words("heap bin heaps bins dump collector") or not c.after.isalpha() or c.after in _words("from in and of")
    )


#: Word -> (rule, American and British pronunciation if it holds, the same if it does not).
#: None leaves the choice to the lexicon.
SENSES: dict[str, tuple[Rule, Pair | None, Pair | None]] = {
    "lead": (_lead_metal, ("lˈɛd", "lˈɛd"), ("lˈid", "lˈiːd")),
    "bow": (_bow_bend, ("bˈW", "bˈW"), ("bˈO", "bˈQ")),
    "bows": (_bow_bend, ("bˈWz", "bˈWz"), ("bˈOz", "bˈQz")),
    "bowed": (_bow_bend, ("bˈWd", "bˈWd"), ("bˈOd", "bˈQd")),
    "bowing": (_bow_bend, ("bˈWɪŋ", "bˈWɪŋ"), ("bˈOɪŋ", "bˈQɪŋ")),
    "row": (_row_quarrel, ("ɹˈW", "ɹˈW"), ("ɹˈO", "ɹˈQ")),
    "rows": (_row_quarrel, ("ɹˈWz", "ɹˈWz"), ("ɹˈOz", "ɹˈQz")),
    "tear": (_tear_rip, ("tˈɛɹ", "tˈɛː"), ("tˈɪɹ", "tˈɪə")),
    "tears": (_tear_rip, ("tˈɛɹz", "tˈɛːz"), ("tˈɪɹz", "tˈɪəz")),
    "tearing": (_tear_rip, ("tˈɛɹɪŋ", "tˈɛːɹɪŋ"), None),
    "read": (_read_past, ("ɹˈɛd", "ɹˈɛd"), ("ɹˈid", "ɹˈiːd")),
    "wound": (_wound_turned, ("wˈWnd", "wˈWnd"), ("wˈund", "wˈuːnd")),
    "wind": (_wind_turn, ("wˈInd", "wˈInd"), ("wˈɪnd", "wˈɪnd")),
    "minute": (_minute_tiny, ("mInˈut", "mInjˈuːt"), ("mˈɪnət", "mˈɪnɪt")),
    "bass": (_bass_music, ("bˈAs", "bˈAs"), ("bˈæs", "bˈas")),
    "live": (_live_verb, ("lˈɪv", "lˈɪv"), ("lˈIv", "lˈIv")),
    "lives": (_lives_noun, ("lˈIvz", "lˈIvz"), ("lˈɪvz", "lˈɪvz")),
    "close": (_close_near, ("klˈOs", "klˈQs"), ("klˈOz", "klˈQz")),
    "does": (_does_deer, ("dˈOz", "dˈQz"), None),
    "dove": (_dove_dived, ("dˈOv", "dˈQv"), ("dˈʌv", "dˈʌv")),
    "sow": (_sow_pig, ("sˈW", "sˈW"), ("sˈO", "sˈQ")),
    "sewer": (_sewer_drain, ("sˈuəɹ", "sˈuːə"), ("sˈOəɹ", "sˈQə")),
    "number": (_number_numb, ("nˈʌməɹ", "nˈʌmə"), None),
    "blessed": (_blessed_adjective, ("blˈɛsᵻd", "blˈɛsɪd"), ("blˈɛst", "blˈɛst")),
    "aged": (_aged_old, ("ˈAʤᵻd", "ˈAʤɪd"), ("ˈAʤd", "ˈAʤd")),
    "used": (_used_accustomed, ("jˈust", "jˈuːst"), ("jˈuzd", "jˈuːzd")),
    "use": (_use_noun, ("jˈus", "jˈuːs"), ("jˈuz", "jˈuːz")),
    "excuse": (_excuse_noun, ("ɪkskjˈus", "ɪkskjˈuːs"), ("ɪkskjˈuz", "ɪkskjˈuːz")),
    "house": (_house_verb, ("hˈWz", "hˈWz"), ("hˈWs", "hˈWs")),
    "resume": (_resume_cv, ("ɹˈɛzəmˌA", "ɹˈɛzjʊmA"), None),
    "polish": (_polish_nation, ("pˈOlɪʃ", "pˈQlɪʃ"), ("pˈɑlɪʃ", "pˈɒlɪʃ")),
    "moped": (_moped_sulked, ("mˈOpt", "mˈQpt"), ("mˈOpˌɛd", "mˈQpɛd")),
    "slough": (_slough_bog, ("slˈW", "slˈW"), ("slˈʌf", "slˈʌf")),
    "august": (_august_grand, ("ɔɡˈʌst", "ɔːɡˈʌst"), ("ˈɔɡəst", "ˈɔːɡəst")),
    "object": (_object_verb, ("əbʤˈɛkt", "əbʤˈɛkt"), None),
    "invalid": (_invalid_person, ("ˈɪnvələd", "ˈɪnvəlɪd"), None),
    "present": (_present_give, ("pɹəzˈɛnt", "pɹɪzˈɛnt"), ("pɹˈɛzᵊnt", "pɹˈɛzᵊnt")),
    "content": (_content_happy, ("kəntˈɛnt", "kəntˈɛnt"), ("kˈɑntɛnt", "kˈɒntɛnt")),
    "desert": (_desert_leave, ("dəzˈɜɹt", "dɪzˈɜːt"), ("dˈɛzəɹt", "dˈɛzət")),
    "contract": (_contract_shrink, ("kəntɹˈækt", "kəntɹˈakt"), ("kˈɑntɹˌækt", "kˈɒntɹakt")),
    "refuse": (_refuse_rubbish, ("ɹˈɛfjˌus", "ɹˈɛfjuːs"), ("ɹəfjˈuz", "ɹɪfjˈuːz")),
}


def sense(context: Context, *, british: bool) -> str | None:
    """Return the pronunciation that the context decides on, or None."""
    found = SENSES.get(context.word)
    if found is None:
        return None
    rule, yes, no = found
    pair = yes if rule(context) else no
    return None if pair is None else pair[british]
