"""Words that one spelling does not settle: readings the part of speech cannot tell apart.

The lexicons choose by part of speech (``record``, ``live``, ``close``). Here are the words for
which that is wrong or not enough, each with the rule that decides by the words around it.
"""

from __future__ import annotations

from collections.abc import Callable

from voice.phonemes import homograph_rules as rules
from voice.phonemes.homograph_rules import Context

__all__ = ["SENSES", "Context", "sense"]

Pair = tuple[str, str]
Rule = Callable[[Context], bool]

#: Word -> (rule, American and British pronunciation if it holds, the same if it does not).
#: None leaves the choice to the lexicon.
SENSES: dict[str, tuple[Rule, Pair | None, Pair | None]] = {
    "lead": (rules.lead_metal, ("lˈɛd", "lˈɛd"), ("lˈid", "lˈiːd")),
    "bow": (rules.bow_bend, ("bˈW", "bˈW"), ("bˈO", "bˈQ")),
    "bows": (rules.bow_bend, ("bˈWz", "bˈWz"), ("bˈOz", "bˈQz")),
    "bowed": (rules.bow_bend, ("bˈWd", "bˈWd"), ("bˈOd", "bˈQd")),
    "bowing": (rules.bow_bend, ("bˈWɪŋ", "bˈWɪŋ"), ("bˈOɪŋ", "bˈQɪŋ")),
    "row": (rules.row_quarrel, ("ɹˈW", "ɹˈW"), ("ɹˈO", "ɹˈQ")),
    "rows": (rules.row_quarrel, ("ɹˈWz", "ɹˈWz"), ("ɹˈOz", "ɹˈQz")),
    "tear": (rules.tear_rip, ("tˈɛɹ", "tˈɛː"), ("tˈɪɹ", "tˈɪə")),
    "tears": (rules.tear_rip, ("tˈɛɹz", "tˈɛːz"), ("tˈɪɹz", "tˈɪəz")),
    "tearing": (rules.tear_rip, ("tˈɛɹɪŋ", "tˈɛːɹɪŋ"), None),
    "read": (rules.read_past, ("ɹˈɛd", "ɹˈɛd"), ("ɹˈid", "ɹˈiːd")),
    "wound": (rules.wound_turned, ("wˈWnd", "wˈWnd"), ("wˈund", "wˈuːnd")),
    "wind": (rules.wind_turn, ("wˈInd", "wˈInd"), ("wˈɪnd", "wˈɪnd")),
    "minute": (rules.minute_tiny, ("mInˈut", "mInjˈuːt"), ("mˈɪnət", "mˈɪnɪt")),
    "bass": (rules.bass_music, ("bˈAs", "bˈAs"), ("bˈæs", "bˈas")),
    "live": (rules.live_verb, ("lˈɪv", "lˈɪv"), ("lˈIv", "lˈIv")),
    "lives": (rules.lives_noun, ("lˈIvz", "lˈIvz"), ("lˈɪvz", "lˈɪvz")),
    "close": (rules.close_near, ("klˈOs", "klˈQs"), ("klˈOz", "klˈQz")),
    "does": (rules.does_deer, ("dˈOz", "dˈQz"), None),
    "dove": (rules.dove_dived, ("dˈOv", "dˈQv"), ("dˈʌv", "dˈʌv")),
    "sow": (rules.sow_pig, ("sˈW", "sˈW"), ("sˈO", "sˈQ")),
    "sewer": (rules.sewer_drain, ("sˈuəɹ", "sˈuːə"), ("sˈOəɹ", "sˈQə")),
    "blessed": (rules.blessed_adjective, ("blˈɛsᵻd", "blˈɛsɪd"), ("blˈɛst", "blˈɛst")),
    "aged": (rules.aged_old, ("ˈAʤᵻd", "ˈAʤɪd"), ("ˈAʤd", "ˈAʤd")),
    "used": (rules.used_accustomed, ("jˈust", "jˈuːst"), ("jˈuzd", "jˈuːzd")),
    "use": (rules.use_noun, ("jˈus", "jˈuːs"), ("jˈuz", "jˈuːz")),
    "excuse": (rules.excuse_noun, ("ɪkskjˈus", "ɪkskjˈuːs"), ("ɪkskjˈuz", "ɪkskjˈuːz")),
    "house": (rules.house_verb, ("hˈWz", "hˈWz"), ("hˈWs", "hˈWs")),
    "resume": (rules.resume_cv, ("ɹˈɛzəmˌA", "ɹˈɛzjʊmA"), None),
    "polish": (rules.polish_nation, ("pˈOlɪʃ", "pˈQlɪʃ"), ("pˈɑlɪʃ", "pˈɒlɪʃ")),
    "august": (rules.august_grand, ("ɔɡˈʌst", "ɔːɡˈʌst"), ("ˈɔɡəst", "ˈɔːɡəst")),
    "object": (rules.object_verb, ("əbʤˈɛkt", "əbʤˈɛkt"), None),
    "invalid": (rules.invalid_person, ("ˈɪnvələd", "ˈɪnvəlɪd"), None),
    "present": (rules.present_give, ("pɹəzˈɛnt", "pɹɪzˈɛnt"), ("pɹˈɛzᵊnt", "pɹˈɛzᵊnt")),
    "content": (rules.content_happy, ("kəntˈɛnt", "kəntˈɛnt"), ("kˈɑntɛnt", "kˈɒntɛnt")),
    "desert": (rules.desert_leave, ("dəzˈɜɹt", "dɪzˈɜːt"), ("dˈɛzəɹt", "dˈɛzət")),
    "refuse": (rules.refuse_rubbish, ("ɹˈɛfjˌus", "ɹˈɛfjuːs"), ("ɹəfjˈuz", "ɹɪfjˈuːz")),
}


def sense(context: Context, *, british: bool) -> str | None:
    """Return the pronunciation that the context decides on, or None."""
    found = SENSES.get(context.word)
    if found is None:
        return None
    rule, yes, no = found
    pair = yes if rule(context) else no
    return None if pair is None else pair[british]
