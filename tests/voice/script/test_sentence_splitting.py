"""Sentences: a table of hard cases, and that nothing is lost."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.script.sentences import split_sentences

ENGLISH = """
Mr. Smith went to St. Louis. | He was late.
“Yes?” I said, in my affable way.
“Yes?” | I waited.
J. R. R. Tolkien wrote it. | C. S. Lewis read it.
It was 3.14 exactly. | See www.example.com. | Then go.
He left at 5 p.m. | He was tired.
He left at 5 p.m. Monday.
“Look here, Licky,” he said. | “You know.”
“Where?” he cried. | “There!” said Mr. Jones. | We ran.
He came from the U.S. Army. | The war ended.
No. 5 is alive. | No. | He is dead.
See pp. 10-12. | Vol. II is next. | Fig. 3 shows it.
It is I. | The king.
Wait … what? | Yes… | He left.
“… By the way, at Yeovil I ran.” | He stopped.
He said (oh!) nothing. | (In a voice full of emotion). | I’ll go.
apples, pears, etc. | The rest is gone.
apples, pears, etc. and the rest.
King George II. of Great Britain. | It was.
“Garnet! | Where are you, laddie? | Garnet!! | Garnet!!!!!”
“Sir?” said Mrs. Medley.
e.g. this, i.e. that. | Done.
He lived on Main St. | The house was big.
Dr. J. Watson, M.D., was in. | He sat.
1. The first point.
IV. DEATH BY WATER
In 1914. | 25 men died.
Well, no . . . I think not. | Fine . . . | Good.
“What!” | The door opened.
‘Come in.’ | The boy came.
Is he in? | Yes!
He asked, “Why?” and left. | Mrs. W. Townend sat.
Rev. Dr. King spoke. | It is 6 in. | The rest.
Hello!”—he said. | Bye.
J.B. Hood and A.H. Terry came. | So did he.
"Who is it?" the old man asked. | "Me."
"Who is it?" Mary asked.
"Help!" | The old man stood there.
He had M.R. Hall, p. 2, and v. Georgia.
The vs. case, cf. Smith, ended. | All was well.
Price: 5 ft. 2 in. tall. | He grinned.
“You may,” said she. | “I will.”
What?! | No!!! | Never.
""".strip().split("\n")


@pytest.mark.parametrize("case", ENGLISH)
def test_sentences_end_where_a_reader_would_stop(case):
    expected = case.split(" | ")
    text = " ".join(expected)
    assert [text[a:b] for a, b in split_sentences(text)] == expected


@pytest.mark.parametrize(
    ("language", "case"),
    [
        ("de", "Dr. Meier kam z.B. am 3. Mai usw. zurück. | Er ging. | „Ja?“ fragte er."),
        ("fr", "M. Dupont arriva. | Il dit : « Non ! » et partit."),
        ("es", "El Sr. López vino. | ¿Qué pasa? | ¡Nada!"),
        ("it", "Il sig. Rossi venne. | Era tardi."),
        ("ja", "今日は。 | 元気です。"),
    ],
)
def test_other_languages(language, case):
    expected = case.split(" | ")
    text = ("" if language == "ja" else " ").join(expected)
    assert [text[a:b] for a, b in split_sentences(text, language)] == expected


def test_a_missing_space_after_a_quotation():
    text = "“Done.”Next came he."
    assert split_sentences(text) == [(0, 7), (7, 20)]


@given(st.text(alphabet="aA1.!?… \"'”’)(—,\n。", max_size=300))
@settings(max_examples=300, deadline=None)
def test_every_character_lies_in_exactly_one_sentence(text):
    spans = split_sentences(text)
    assert (
        "".join(text[a:b] for a, b in spans).split() == "".join(text[a:b] for a, b in spans).split()
    )
    covered = "".join("".join(text[a:b].split()) for a, b in spans)
    assert covered == "".join(text.split())
    assert all(a < b for a, b in spans)
    assert all(spans[i][1] <= spans[i + 1][0] for i in range(len(spans) - 1))


@pytest.mark.parametrize("unit", ["word ", "a.b.c. ", "Mr. ", "? ", "“No.” ", ". . . ", "(a"])
def test_time_grows_with_the_length_and_no_faster(unit):
    def seconds(count):
        text = unit * count
        started = time.perf_counter()
        split_sentences(text)
        return time.perf_counter() - started

    seconds(2_000)
    small = max(seconds(10_000), 0.02)
    assert seconds(80_000) < 8 * small * 4, (
        "eight times the text, far more than eight times the time"
    )
