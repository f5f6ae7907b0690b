"""Options of ``narrate``, ``plan`` and ``speak``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

DEFAULT_VOICE = "af_heart"


class CheckMode(StrEnum):
    """How closely the result is listened to."""

    FULL = "full"
    FAST = "fast"
    OFF = "off"


CHECKS: dict[CheckMode, Literal["fast"] | bool] = {
    CheckMode.FULL: True,
    CheckMode.FAST: "fast",
    CheckMode.OFF: False,
}

Book = Annotated[
    str,
    typer.Argument(help="EPUB, Markdown, plain text, a plan (.toml), or - for standard input."),
]
VoiceName = Annotated[
    str | None,
    typer.Option(
        "--voice",
        "-v",
        help="The narrator, see `vivavoce voices list`; if not given, that of the cast file or "
        f"of config.toml, else {DEFAULT_VOICE}.",
    ),
]
CastFile = Annotated[
    Path | None, typer.Option("--cast", help="Cast file (TOML): voices by chapter or character.")
]
LexiconFile = Annotated[
    list[Path] | None,
    typer.Option("--lexicon", help="Pronunciations (TOML or PLS); may be given more than once."),
]
Keep = Annotated[
    list[str] | None,
    typer.Option("--keep", help="Read this too, though it is left out by default; see `plan`."),
]
Chapters = Annotated[
    str | None, typer.Option(help="Only these chapters, for instance 1-3,7 (see `plan`).")
]
Format = Annotated[
    str | None, typer.Option("--format", help="epub, markdown or text, if the name does not say.")
]
Commercial = Annotated[
    bool,
    typer.Option("--commercial", help="The work is commercial: only licences that allow it pass."),
]
Licensee = Annotated[
    str | None,
    typer.Option(
        "--licensee",
        help="Party who uses the voices, for voices that are a person's; see `party list`.",
    ),
]
Purpose = Annotated[str | None, typer.Option(help="What the voice is used for, as grants name it.")]
Channel = Annotated[
    str,
    typer.Option(help="Where it will be heard: private, store, radio ... ; review makes a draft."),
]
Territory = Annotated[
    str, typer.Option(help="Country of publication (ISO 3166, e.g. DE), or world.")
]
Content = Annotated[
    list[str] | None,
    typer.Option(
        help="Declare sensitive content, e.g. political; none declares that there is none. May be "
        "given more than once."
    ),
]
SpokenDisclosure = Annotated[
    bool | None,
    typer.Option(
        "--spoken-disclosure/--no-spoken-disclosure",
        help="Begin with a sentence saying that the voice is synthetic. If not given: where a "
        "person's voice is used.",
    ),
]
Artistic = Annotated[
    bool,
    typer.Option("--artistic", help="Declare an evidently artistic, satirical or fictional work."),
]
RequireWatermark = Annotated[
    bool, typer.Option("--require-watermark", help="Refuse if the sound cannot be watermarked.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
