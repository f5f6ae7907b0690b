# ruff: noqa: D103 (the name of a rule says which reading it stands for)
"""The context of a word, and the rules by which it decides between two readings.

Each rule answers whether the first reading of its word in `voice.phonemes.homographs` holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voice.phonemes.characters import words


class Context:
    """The neighbourhood of a word: two words before, two after, its tag."""

    def __init__(self, text: Sequence[str], index: int, tag: Callable[[], str]) -> None:
        def at(i: int) -> str:
            return text[i].lower() if 0 <= i < len(text) else ""

        self.written = text[index]
        self.word = self.written.lower()
        self.before, self.before2 = at(index - 1), at(index - 2)
        self.after, self.after2 = at(index + 1), at(index + 2)
        self._near = [at(i) for i in range(index - 7, index + 8) if i != index]
        self._tag = tag

    @property
    def tag(self) -> str:
        """Part of speech, worked out when first asked for."""
        return self._tag()

    def near(self, sought: frozenset[str]) -> bool:
        """Say whether any of `sought` is within seven words."""
        return any(word in sought for word in self._near)

    @property
    def noun(self) -> bool:
        """Whether it is a noun."""
        return self.tag in ("NN", "NNP")

    @property
    def verb(self) -> bool:
        """Whether it is a verb in any form."""
        return self.tag.startswith("VB")


_MODALS = words(
    "to will would shall should can could may might must do does did don't didn't "
    "doesn't won't wouldn't couldn't can't shan't i'll you'll he'll she'll we'll "
    "they'll let's please never"
)
_HAVE = words(
    "have has had having i've you've we've they've he'd she'd i'd you'd 've haven't hasn't hadn't"
)
_BE = words(
    "is are was were be been being am it's he's she's i'm you're we're they're isn't wasn't get got"
)
_DETERMINERS = words(
    "the a an this that my your his her its our their some no any every each another one"
)
_METAL = words(
    "pipe pipes metal metals poisoning roof roofing paint bullet bullets pencil zinc "
    "tin copper iron weight weights coffin sheet sheets molten melted heavy grey gray "
    "acetate oxide mine mines shot solder"
)
_ARCHERY = words(
    "arrow arrows arrow's archer archers string violin fiddle cello tie ribbon "
    "ribbons hair ties quiver hunter cross long strung bent yew neck knot tied silk "
    "pink satin rainbow viola"
)
_SHIP = words(
    "ship boat ships stern port starboard deck vessel waves wave oar oars steamer "
    "yacht bowsprit sea launch"
)
_COURTESY = words(
    "low deep slight stiff polite courtly formal little graceful profound ceremonious "
    "made make makes making gave give gives took take returned curtsy curtsey "
    "sweeping mock elaborate"
)
_QUARREL = words(
    "kick kicked kicking what's blazing awful fearful frightful terrible devil "
    "dickens deuce noise shindy domestic had flaming infernal unholy stand-up big "
    "family"
)
_ROWS = words(
    "front back second third first in of houses seats chairs boat trees teeth desks "
    "cottages nice hard"
)
_RIP = words(
    "jacket dress shirt coat skirt trousers cloth fabric seam paper muscle ligament "
    "wear sleeve curtain sail stocking"
)
_FISH = words(
    "fish fishing river caught lake sea angler striped perch pike trout catch fished fishermen"
)
_TIME_AFTER = words("hand hands book later ago and or more before after past to")


def lead_metal(c: Context) -> bool:
    if c.word == "leaden":
        return True
    if c.before in _MODALS or c.verb:
        return False
    if c.after in _METAL or c.before in words("molten white red black sheet pure melted like"):
        return True
    return (
        c.before in words("of in with made as")
        and c.before2 not in words("in take took taken")
        and (c.after in words(", . ; : ! ? and or") or not c.after)
        and (c.before != "in" or c.near(_METAL))
    )


def bow_bend(c: Context) -> bool:
    if c.word in ("bowed", "bowing"):
        return not c.near(words("legs legged string strings violin"))
    if c.near(_ARCHERY) and not c.verb:
        return False
    if c.verb or c.before in _MODALS:
        return True
    if c.near(_SHIP) or (
        c.before in ("a", "the") and c.before2 in words("with made took take gave")
    ):
        return True
    return c.near(_COURTESY)


def row_quarrel(c: Context) -> bool:
    if c.near(words("frightful fearful awful blazing deuce dickens what's")) and c.word == "row":
        return c.after != "of" and c.before not in _MODALS
    if c.word == "rows" and not c.near(words("blazing domestic family furious angry violent")):
        return False
    if c.verb or c.after == "of" or c.before in ("in", "front", "back", "each", "second", "third"):
        return False
    if c.after == "about":
        return True
    return c.near(_QUARREL) and (c.before in _DETERMINERS or c.before in _QUARREL or c.noun)


def tear_rip(c: Context) -> bool:
    if c.word == "tearing" or c.verb or c.before in _MODALS:
        return True
    return c.near(_RIP) or (
        c.word == "tear"
        and c.before in ("a", "the")
        and c.after == "in"
        and c.after2 in _DETERMINERS
    )


def read_past(c: Context) -> bool:
    if c.before in _MODALS or (
        c.before2 in _MODALS - words("please never") and c.before not in _HAVE | _BE
    ):
        return False
    if c.before in _HAVE or c.before2 in _HAVE or c.before in _BE:
        return True
    if c.before in words("i you we they who") and c.near(
        words("every always usually often daily sometimes")
    ):
        return False
    if c.before in words("he she it") or c.word == "misread":
        return True
    return c.tag in ("VBD", "VBN", "JJ")


def wound_turned(c: Context) -> bool:
    if c.before in _DETERMINERS or c.before in _MODALS or c.noun:
        return False
    if c.after in words(
        "up down round around through along its itself his her the about back off in on"
    ):
        return True
    return c.tag in ("VBD", "VBN") or c.before in words("he she it they road path who and river")


def wind_turn(c: Context) -> bool:
    if c.before in _DETERMINERS | words("of strong high cold east west north south"):
        return False
    if c.before.endswith("s") and c.after in words("up down through round around along"):
        return True
    return (
        c.before in _MODALS
        or (
            c.verb
            and c.after
            in words(
                "up down it the its his her your my round around through along back in out on "
                "about from"
            )
        )
        or (c.tag == "VB" and c.before in words("i you we they and rivers roads paths which that"))
    )


def minute_tiny(c: Context) -> bool:
    if c.before in words(
        "one a each every last first next any this that half ten five two per the"
    ) and (c.after in _TIME_AFTER or not c.after.isalpha()):
        return False
    degree = words("very so too most more extremely quite rather such")
    if c.before in degree or c.after in words(
        "particles detail details quantities quantity traces amounts amount examination "
        "inspection description particle fragments creatures specks scrutiny crystals "
        "portions hole holes"
    ):
        return True
    return (
        c.tag == "JJ"
        and c.before not in _DETERMINERS
        and not c.before.isdigit()
        and c.before in _BE
    )


def bass_fish(c: Context) -> bool:
    return c.near(_FISH) and c.after not in words("voice drum guitar clef note notes line")


def bass_music(c: Context) -> bool:
    return not bass_fish(c)


def live_verb(c: Context) -> bool:
    if c.before in _MODALS or c.before in words("i you we they who people"):
        return True
    if c.after in words(
        "wire wires music broadcast ammunition coals coal animals bait stock show "
        "performance bird birds chickens hens fowl fowls fish cattle recording audience "
        "concert shell rounds"
    ):
        return False
    return c.verb or c.after in words("with in at by on here there alone up happily")


def lives_noun(c: Context) -> bool:
    if c.before in words(
        "he she it who that which there mr mrs everybody everyone somebody someone nobody"
    ):
        return False
    if c.before in words(
        "our their your my his her its of the own many nine lost past private whole these "
        "those all two three four five six seven eight ten hundred thousand thousands "
        "several human innocent save saved saving previous former separate inner ordinary"
    ):
        return True
    return c.noun


def close_near(c: Context) -> bool:
    if c.word == "close" and c.before in _MODALS and c.before2 not in words("used came come"):
        return c.before == "to" and c.after in ("to", "by")
    if c.after in words(
        "to by behind at beside together upon up friend friends call shave attention on "
        "range quarters"
    ):
        return not (c.after in ("at", "up", "on") and c.verb)
    if c.before in words("the a") and c.after in words("of"):
        return False
    if c.before in words(
        "very so too quite as pretty how rather came come stood sat drew draw keep kept stay stayed"
    ):
        return True
    return not c.verb and not (c.noun and c.before in ("the", "a", "its", "his"))


def does_deer(c: Context) -> bool:
    return (
        c.before in words("two three four the some many several young bucks stags")
        and c.noun
        and (c.near(words("deer bucks buck stags stag fawns forest hinds park herd")))
    )


def dove_dived(c: Context) -> bool:
    return c.after in words(
        "into in under off down for beneath headlong over behind from"
    ) and c.before in words("he she it they i we who and then")


def sow_pig(c: Context) -> bool:
    return c.before in words(
        "the a old fat prize black white berkshire big his her our your my that this brood breeding"
    ) and (c.before not in _MODALS)


def sewer_drain(c: Context) -> bool:
    return not c.near(words("needle thread stitches cloth seamstress sewing"))


def blessed_adjective(c: Context) -> bool:
    if c.before in _BE | _HAVE or c.after in words("with by him her me us them you it"):
        return False
    return (
        c.before in _DETERMINERS
        or c.before in words("most more every whole of single")
        or c.after == "are"
    )


def aged_old(c: Context) -> bool:
    return c.after in words(
        "man woman men women lady gentleman father mother parent parents aunt uncle "
        "relative person face couple p priest servant king grandmother grandfather butler "
        "horse"
    ) or (c.before == "the" and c.after in words(", . and ; who were are in"))


def used_accustomed(c: Context) -> bool:
    return (c.after == "to" and c.before not in words("is are be being was were")) or (
        c.after == "to"
        and (c.before in _BE)
        and (
            c.after2.endswith("ing")
            or c.after2 in _DETERMINERS
            or c.after2 in words("it them him her me you us being such that")
        )
    )


def use_noun(c: Context) -> bool:
    if c.before in _MODALS and c.before != "to":
        return False
    if c.before in words(
        "no any of the some much little what's what in into its his her my your their our "
        "is great good a"
    ):
        return not (c.before == "her" and c.verb)
    return c.noun and c.before not in ("i", "you", "we", "they", "to")


def excuse_noun(c: Context) -> bool:
    if c.after in words("me my him her us them you yourself") or c.before in _MODALS:
        return False
    return (
        c.before in _DETERMINERS | words("of without good poor flimsy excellent better") or c.noun
    )


def house_verb(c: Context) -> bool:
    return c.before in _MODALS and c.after not in ("", ",", ".") and c.verb


def resume_cv(c: Context) -> bool:
    return c.before in words("my his her your a the their") and c.noun


def polish_nation(c: Context) -> bool:
    return c.written[:1].isupper() and bool(c.before) and c.before not in words(". ! ? “ ” …")


def august_grand(c: Context) -> bool:
    return c.written.islower() and c.after.isalpha()


def object_verb(c: Context) -> bool:
    return (c.before in words("i you we they who don't") or c.before in _MODALS) and (
        c.after in ("to", "", ".", ",", "!", "?", "strongly", "that")
    )


def invalid_person(c: Context) -> bool:
    return c.before in words(
        "an the this poor chronic old confirmed helpless your his her my invalid's"
    ) and (not c.after.isalpha() or c.after in words("and who in was is had with chair to lady"))


def present_give(c: Context) -> bool:
    if c.before in words("the a at this his her my your no") or c.after in words(
        "day state moment time company"
    ):
        return False
    return c.before in _MODALS or (
        c.tag in ("VB", "VBD") and c.after in words("to him her me you a the my your itself")
    )


def content_happy(c: Context) -> bool:
    return not (
        c.before in words("the of its their fat alcohol rich high low moisture") and c.after != "to"
    ) or (c.before in words("heart's"))


def desert_leave(c: Context) -> bool:
    if c.before in words("the a this that vast sandy sahara arabian"):
        return False
    return c.before in _MODALS or c.verb


def refuse_rubbish(c: Context) -> bool:
    return c.before in words("the of kitchen garden household street collect town") and (
        c.after in words("heap bin heaps bins dump collector")
        or not c.after.isalpha()
        or c.after in words("from in and of")
    )
