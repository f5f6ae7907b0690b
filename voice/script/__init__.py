"""From a book or text to a plan of what is spoken, by whom, with which pauses."""

from voice.script.cast import Cast
from voice.script.estimate import ChapterEstimate, Estimate, estimate
from voice.script.frontmatter import KINDS
from voice.script.lexicon import Lexicon
from voice.script.model import (
    Block,
    BlockKind,
    Book,
    BookChapter,
    Plan,
    PlanChapter,
    Segment,
    Skipped,
    Span,
)
from voice.script.plan import make_plan, select_chapters
from voice.script.planfile import dump_plan, load_plan, save_plan
from voice.script.reader import read_book

__all__ = [
    "KINDS",
    "Block",
    "BlockKind",
    "Book",
    "BookChapter",
    "Cast",
    "ChapterEstimate",
    "Estimate",
    "Lexicon",
    "Plan",
    "PlanChapter",
    "Segment",
    "Skipped",
    "Span",
    "dump_plan",
    "estimate",
    "load_plan",
    "make_plan",
    "read_book",
    "save_plan",
    "select_chapters",
]
