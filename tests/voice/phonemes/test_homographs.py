"""Words that are spelled alike and sound different."""

from __future__ import annotations

import pytest

from voice.phonemes import phonemize

CASES = [
    ("ɹˈid", "I will read it."),
    ("ɹˈɛd", "I have read it."),
    ("ɹˈɛd", "He read the letter and put it down."),
    ("lˈɛd", "The lead pipe burst."),
    ("lˈid", "Where does it lead?"),
    ("lˈɪv", "They live here."),
    ("lˈIv", "Two live chickens."),
    ("lˈIvz", "Cats have nine lives."),
    ("wˈInd", "Do not forget to wind the clock."),
    ("wˈɪnd", "The wind howled."),
    ("wˈund", "The wound healed."),
    ("wˈWnd", "She wound the wool into a ball."),
    ("tˈɛɹ", "Do not tear the page."),
    ("tˈɪɹ", "A tear ran down her cheek."),
    ("bˈW", "He made a low bow."),
    ("bˈO", "A bow and an arrow."),
    ("ɹˈW", "What is all this row about?"),
    ("ɹˈO", "The front row."),
    ("klˈOz", "Close the door."),
    ("klˈOs", "Stay close to me."),
    ("jˈus", "It is no use."),
    ("jˈuz", "May I use it?"),
    ("jˈust", "I used to know."),
    ("jˈuzd", "He used it."),
    ("ɹˈɛkəɹd", "He broke the record."),
    ("ɹəkˈɔɹd", "They want to record it."),
    ("pɹəzˈɛnt", "Allow me to present my friend."),
    ("pɹˈɛzᵊnt", "A present for you."),
    ("mInˈut", "The insects were very minute."),
    ("mˈɪnət", "Wait a minute."),
    ("ɪkskjˈuz", "Excuse me."),
    ("ɪkskjˈus", "That is a poor excuse."),
    ("dˈʌz", "What does he want?"),
    ("pˈOlɪʃ", "She was a Polish countess."),
    ("sˈW", "The old sow had piglets."),
    ("əbʤˈɛkt", "I object to that."),
    ("hˈWz", "It was built to house the cattle."),
    ("ɹəfjˈuz", "I refuse to believe it."),
]


@pytest.mark.parametrize(("sound", "sentence"), CASES)
def test_the_sentence_decides(sound: str, sentence: str) -> None:
    plain = phonemize(sentence, "en-US").replace("T", "ɾ")
    assert sound.replace("ˈ", "") in plain.replace("ˈ", "").replace("ˌ", "")
