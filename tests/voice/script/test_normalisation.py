"""What is written, and what is spoken."""

# ruff: noqa: E501  (cases read better on one line)
from __future__ import annotations

import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import voice.script.lexicon
import voice.script.normalise
import voice.script.normalise.numbers
import voice.script.normalise.roman
import voice.script.sentences
from voice.script.normalise import normalise

BRITISH = """
He was born in 1914. -> He was born in nineteen fourteen.
in 2008, 2000 and 2015 -> in two thousand and eight, two thousand and twenty fifteen
the 1900s, the '90s and the 1920s -> the nineteen hundreds, the nineties and the nineteen twenties
the war of 1914-18 -> the war of nineteen fourteen to eighteen
(1716-1785) -> (seventeen sixteen to seventeen eighty-five)
in 1066 -> in ten sixty-six
1522 establishments -> one thousand five hundred and twenty-two establishments
in 1900 2,216,331 people -> in nineteen hundred, two million two hundred and sixteen thousand three hundred and thirty-one people
on 3 May 1914 -> on the third of May, nineteen fourteen
the 3rd of May 1914 -> the third of May, nineteen fourteen
May 3rd, 1914 -> May the third, nineteen fourteen
1914-05-03 -> the third of May, nineteen fourteen
03/05/1914 -> the third of May, nineteen fourteen
on Jan. 5 -> on January the fifth
at 3.30 p.m. sharp -> at three thirty PM sharp
at 15:45 -> at fifteen forty-five
at 5 p.m. -> at five PM.
7 P.M. and 6 A.M. today -> seven PM and six AM today
at 9:05 -> at nine oh five
$3.50 -> three dollars and fifty cents
$1 -> one dollar
a $5 bill -> a five dollar bill
£12 10s. 6d. -> twelve pounds, ten shillings and sixpence.
2s. 6d. each -> two shillings and sixpence each
€5m -> five million euros
$5 million -> five million dollars
$5-10 -> five to ten dollars
50¢ -> fifty cents
36.9% -> thirty-six point nine per cent
-40°C -> minus forty degrees Celsius
40° F. and below -> forty degrees Fahrenheit and below
30° 31′ 39″ -> thirty degrees thirty-one minutes thirty-nine seconds
5 km -> five kilometres
1 kg of it -> one kilogram of it
a 10-km run -> a ten kilometre run
70 mph -> seventy miles per hour
6 ft 2 in tall -> six feet two inches tall
35,000 sq. m. in all -> thirty-five thousand square miles in all
20 m. farther -> twenty miles farther
10 ft. high -> ten feet high
5 m² -> five square metres
6 in the morning -> six in the morning
pp. 10-12 -> pages ten to twelve
No. 5 -> Number five
Nos. 5 and 6 -> Numbers five and six
Vol. II -> Volume two
½ of it -> one half of it
2½ miles -> two and a half miles
3/4 cup -> three quarters cup
2 1/2 cups -> two and a half cups
24/7 -> twenty-four seven
the 21st -> the twenty-first
1,000th -> one thousandth
3.14 -> three point one four
1,234,567 -> one million two hundred and thirty-four thousand five hundred and sixty-seven
call 555-1234 -> call five five five, one two three four
007 -> zero zero seven
version 1.2.3 -> version one point two point three
B52 -> B fifty-two
Henry VIII died. -> Henry the eighth died.
King George II. of Britain -> King George the second of Britain
Louis XIV was king -> Louis the fourteenth was king
World War II -> World War two
Chapter XIV -> Chapter fourteen
Act II, scene iii -> Act two, scene three
the XIX century -> the nineteenth century
I think that I am. -> I think that I am.
Malcolm X -> Malcolm X
Mr. and Mrs. Ukridge -> Mister and Missus Ukridge
Dr. Smith of Elm Dr. -> Doctor Smith of Elm Doctor
12 Elm Dr. -> twelve Elm Drive.
St. Louis -> Saint Louis
Main St. is long -> Main Street is long
e.g. this, i.e. that, etc. -> for example this, that is that, et cetera.
Prof. Low, Rev. High and Capt. Flint -> Professor Low, Reverend High and Captain Flint
Smith v. Jones -> Smith versus Jones
J. R. R. Tolkien -> J R R Tolkien
M.R. Hall -> M R Hall
C.C. Jones's and A.D. Candler -> C C Jones's and A D Candler
from 1841-1850, in all -> from eighteen forty-one to eighteen fifty, in all
Hoke Smith, 1911-, Democrat -> Hoke Smith, nineteen eleven, Democrat
the U.S. Army of the U.S.A. -> the US Army of the USA.
R&D -> R and D
#5 -> number five
4x4 -> four by four
a + b = c -> a plus b equals c
and/or -> and or
me@example.org -> me at example dot org
see https://www.example.com/a?b=1. -> see example dot com.
NEVER! -> Never!
THE BURIAL OF THE DEAD -> The burial of the dead
NASA and the BBC -> NASA and the BBC
“Yes,” he said -> "Yes," he said
‘Look here,’ he said, ‘you don’t.’ -> "Look here," he said, "you don't."
'Tis the boys' room -> 'Tis the boys' room
“ ‘Hullo,’ I says, ‘there.’ ” -> "Hullo," I says, "there."
wait . . . what -> wait… what
one -- two – three -> one—two—three
a [note](/x/) -> a (note)(x)
Mr. ⸻’s book -> Mister blank's book
co\u00adop\u200berate with\u00a0me -> cooperate with me
ﬁne ﬂow -> fine flow
π and α -> pi and alpha
""".strip().split("\n")


@pytest.mark.parametrize("case", BRITISH)
def test_english_as_in_britain(case):
    written, _, spoken = case.partition(" -> ")
    written = written.encode().decode("unicode_escape") if "\\u" in written else written
    assert normalise(written, "en-GB") == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("105", "one hundred five"),
        ("03/05/1914", "March fifth, nineteen fourteen"),
        ("May 3", "May third"),
        ("2008", "two thousand eight"),
        ("5 km", "five kilometers"),
    ],
)
def test_english_as_in_america(written, spoken):
    assert normalise(written, "en-US") == spoken


@pytest.mark.parametrize(
    ("written", "opens", "spoken"),
    [
        ("XIV", True, "Chapter fourteen."),
        ("XIV", False, "Fourteen."),
        ("7.", True, "Chapter seven."),
        ("I", True, "Chapter one."),
        ("CHAPTER XIV", True, "Chapter fourteen"),
        ("IV. DEATH BY WATER", True, "Four. Death by water"),
        ("I Enlist the Services", True, "I Enlist the Services"),
        ("CHAPTER THE FIRST", True, "Chapter the first"),
    ],
)
def test_headings(written, opens, spoken):
    assert normalise(written, "en-GB", heading=True, opens_chapter=opens) == spoken


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("de", "Es waren 21 Vögel, 20 %.", "Es waren einundzwanzig Vögel, zwanzig Prozent."),
        ("de", "1.234,5", "eintausendzweihundertvierunddreißig Komma fünf"),
        ("fr", "Il y en a 71.", "Il y en a soixante et onze."),
        ("fr", "le 1er jour", "le premier jour"),
        ("es", "Tiene 22 años.", "Tiene veintidós años."),
        ("it", "Ha 28 anni.", "Ha ventotto anni."),
    ],
)
def test_numbers_of_other_languages(language, written, spoken):
    assert normalise(written, language) == spoken


@given(st.text(max_size=200), st.sampled_from(["en-GB", "en-US", "de", "fr", "es", "it", "xx"]))
@settings(max_examples=400, deadline=None)
def test_any_text_can_be_normalised_and_forges_no_markup(text, language):
    spoken = normalise(text, language)
    assert "[" not in spoken
    assert "]" not in spoken
    assert spoken == spoken.strip()


@given(
    st.from_regex(
        r"[£$€]?[0-9.,/:'-]{1,12}( ?(%|st|th|ft|in|km|am|p\.m\.|s|d)\.?)?", fullmatch=True
    )
)
@settings(max_examples=400, deadline=None)
def test_no_digit_is_left(text):
    assert not any(character.isdigit() for character in normalise(f"It is {text} now", "en-GB"))


@given(
    st.lists(
        st.sampled_from(
            ["the", "cat", "sat", "on", "a", "mat", "with", "Ukridge", "and", "'no'", "said", "he"]
        ),
        min_size=1,
    )
)
def test_ordinary_words_stay_as_they_are(words):
    text = " ".join(words)
    assert normalise(text, "en-GB").replace('"', "'") == text


@pytest.mark.parametrize(
    "module",
    [
        voice.script.normalise,
        voice.script.normalise.numbers,
        voice.script.normalise.roman,
        voice.script.sentences,
        voice.script.lexicon,
    ],
)
def test_the_examples_in_the_documentation_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
