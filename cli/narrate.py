"""``vivavoce narrate``, ``plan`` and ``speak``: from a book or a line of text to signed audio."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import (
    CHECKS,
    DEFAULT_VOICE,
    Artistic,
    Book,
    CastFile,
    Channel,
    Chapters,
    CheckMode,
    Commercial,
    Content,
    Format,
    Json,
    Keep,
    LexiconFile,
    Licensee,
    Overwrite,
    Purpose,
    RequireWatermark,
    SpokenDisclosure,
    Territory,
    VoiceName,
)
from cli.output import duration, emit_json, note, say, table, warn
from consent.errors import IncompleteError, InputError

if TYPE_CHECKING:
    from consent.home import Home
    from voice.narration import NarrationResult, Usage
    from voice.script import Lexicon, Plan


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    app.command("narrate")(narrate)
    app.command("plan")(plan)
    app.command("speak")(speak)


def narrate(
    ctx: typer.Context,
    book: Book,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="File to make (.m4b .mp3 .wav .flac), or a folder with --per-chapter.",
        ),
    ],
    voice: VoiceName = None,
    chapters: Chapters = None,
    cast: CastFile = None,
    lexicon: LexiconFile = None,
    keep: Keep = None,
    text_format: Format = None,
    per_chapter: Annotated[
        str | None,
        typer.Option(help="One file per chapter in this format (mp3, wav, flac, m4a), for stores."),
    ] = None,
    bitrate: Annotated[int | None, typer.Option(help="Bits per second of AAC or MP3.")] = None,
    subtitles: Annotated[
        list[str] | None, typer.Option(help="Also write subtitles beside the audio: srt, vtt.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.5, max=2.0, help="Pace; 1 is the voice's own.")
    ] = 1.0,
    commercial: Commercial = False,
    licensee: Licensee = None,
    purpose: Purpose = None,
    channel: Channel = "private",
    territory: Territory = "world",
    content: Content = None,
    artistic: Artistic = False,
    spoken_disclosure: SpokenDisclosure = None,
    check: Annotated[
        CheckMode,
        typer.Option(
            help="full: listen to every sentence and repair what is wrong; fast: measure only."
        ),
    ] = CheckMode.FULL,
    rerender: Annotated[
        list[str] | None,
        typer.Option(help="Speak this segment anew, e.g. 3.12; ids are in the plan and report."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Rendering processes; all cores if not given.")
    ] = None,
    require_watermark: RequireWatermark = False,
    overwrite: Overwrite = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress display.")] = False,
    as_json: Json = False,
) -> None:
    """Narrate a book: a chaptered, mastered, signed audiobook.

    Stopped or killed, the same command goes on where it ended.

      [bold]vivavoce narrate book.epub --voice af_heart -o book.m4b[/bold]
      [bold]vivavoce narrate book.epub --chapters 1-3 -o part.m4b --subtitles srt[/bold]
      [bold]vivavoce narrate book.epub --per-chapter mp3 -o for-the-store/[/bold]
    """
    from cli.progress import display
    from consent.home import Home
    from consent.registry import Registry
    from voice.narration import narrate as narrate_plan

    made = _plan(book, voice, cast=cast, lexicon=lexicon, keep=keep, text_format=text_format)
    home = Home.open()
    with Registry.open(home) as registry, display(quiet=quiet) as progress:
        result = narrate_plan(
            made,
            output=output,
            home=home,
            registry=registry,
            container=per_chapter,
            per_chapter=per_chapter is not None,
            chapters=chapters,
            usage=_usage(ctx, home, "audiobook"),
            check=CHECKS[check],
            bitrate=bitrate,
            subtitles=tuple(subtitles or ()),
            speed=speed,
            rerender=tuple(rerender or ()),
            workers=workers or home.setting("narration", "workers"),
            require_watermark=require_watermark,
            overwrite=overwrite,
            progress=progress,
        )
    _report(result, as_json=as_json)


def plan(
    book: Book,
    voice: VoiceName = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the plan (.toml), to edit and give to narrate."),
    ] = None,
    chapters: Chapters = None,
    cast: CastFile = None,
    lexicon: LexiconFile = None,
    keep: Keep = None,
    text_format: Format = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Show what would be read: chapters, words, minutes, time to render, and what is left out.

    [bold]vivavoce plan book.epub[/bold]
    [bold]vivavoce plan book.epub -o plan.toml[/bold]   then edit it, then
    [bold]vivavoce narrate plan.toml -o book.m4b[/bold]
    """
    from consent.home import Home
    from voice.narration.speed import remembered_rtf
    from voice.script import estimate, save_plan, select_chapters

    made = _plan(book, voice, cast=cast, lexicon=lexicon, keep=keep, text_format=text_format)
    if chapters:
        made = select_chapters(made, chapters)
    expected = estimate(made, rtf=remembered_rtf(Home.open(), made.narrator))
    if output is not None:
        if output.exists() and not overwrite:
            raise InputError(f"{output} exists", hint="Choose another name or add --overwrite.")
        save_plan(made, output)
        note(f"wrote {output}")
    if as_json:
        emit_json(
            {"title": made.title, "authors": made.authors, "language": made.language}
            | {"narrator": made.narrator, "cast": dict(made.cast)}
            | asdict(expected)
            | {"skipped": [asdict(item) for item in made.skipped]}
        )
        return
    say(f"{made.title}, {', '.join(made.authors) or 'author unknown'} ({made.language})")
    say(f"narrator {made.narrator}" + _cast_words(made.cast))
    table(
        ("chapter>", "title", "segments>", "words>", "minutes>"),
        (
            (row.number, row.title, row.segments, f"{row.words:,}", duration(60 * row.minutes))
            for row in expected.chapters
        ),
    )
    say(f"total {expected.words:,} words, about {duration(60 * expected.minutes)} of audio")
    if expected.render_minutes is None:
        say("time to render: not known yet on this machine; the first narration measures it")
    else:
        say(f"time to render: about {duration(60 * expected.render_minutes)} on this machine")
    if made.skipped:
        say("\nnot read aloud (put back with --keep KEY):")
        table(
            ("key", "what", "words>", "where", "begins"),
            ((s.key, s.what, s.words, s.where, s.excerpt) for s in made.skipped),
        )


def speak(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="What to say, or - for standard input.")],
    output: Annotated[Path, typer.Option("--output", "-o", help=".wav .flac .mp3 .m4a")],
    voice: VoiceName = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the text, e.g. de; the voice's if not given.")
    ] = None,
    lexicon: LexiconFile = None,
    speed: Annotated[
        float, typer.Option(min=0.5, max=2.0, help="Pace; 1 is the voice's own.")
    ] = 1.0,
    commercial: Commercial = False,
    licensee: Licensee = None,
    purpose: Purpose = None,
    channel: Channel = "private",
    territory: Territory = "world",
    content: Content = None,
    artistic: Artistic = False,
    spoken_disclosure: SpokenDisclosure = None,
    require_watermark: RequireWatermark = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Say a few sentences into a signed file.

    [bold]vivavoce speak "Good evening, Mr. Ukridge." --voice bm_george -o hello.wav[/bold]
    """
    from cli.progress import display
    from consent.home import Home
    from consent.registry import Registry
    from voice.narration import speak as speak_text
    from voice.script.decoding import decode

    words = decode(sys.stdin.buffer.read(), "standard input") if text == "-" else text
    home = Home.open()
    with Registry.open(home) as registry, display(quiet=as_json) as progress:
        result = speak_text(
            words,
            voice=voice or _usual_voice(),
            output=output,
            home=home,
            registry=registry,
            language=language,
            lexicon=_lexicon(lexicon),
            speed=speed,
            usage=_usage(ctx, home, "speech"),
            require_watermark=require_watermark,
            overwrite=overwrite,
            progress=progress,
        )
    _report(result, as_json=as_json)


def _plan(
    book: str,
    voice: str | None,
    *,
    cast: Path | None,
    lexicon: Sequence[Path] | None,
    keep: Sequence[str] | None,
    text_format: str | None,
) -> Plan:
    """Read a book, or a plan that was exported and edited."""
    from voice import engines
    from voice.script import Cast, load_plan, make_plan, read_book

    path = None if book == "-" else Path(book)
    if path is not None and path.suffix.lower() == ".toml":
        given = (("--voice", voice), ("--cast", cast), ("--lexicon", lexicon), ("--keep", keep))
        unused = [name for name, value in given if value]
        if unused:
            warn(f"{', '.join(unused)} is not used: {book} is a plan and says it all itself")
        return load_plan(path)
    members = Cast.load(cast) if cast else None
    narrator = voice or (members.narrator if members else "") or _usual_voice()
    engines.find_voice(narrator)
    read = read_book(path, keep=tuple(keep or ()), format=text_format)
    return make_plan(read, narrator=narrator, cast=members, lexicon=_lexicon(lexicon))


def _usage(ctx: typer.Context, home: Home, purpose: str) -> Usage:
    """Return the terms of the work: those given, else those of ``config.toml``, else `purpose`."""
    from voice.narration import Usage

    given = ctx.params
    return Usage(
        purpose=given["purpose"] or purpose,
        commercial=given["commercial"] or bool(home.setting("narration", "commercial")),
        channel=given["channel"],
        territory=given["territory"],
        licensee=given["licensee"] or home.setting("narration", "licensee") or "",
        content=tuple(given["content"] or ()),
        artistic=given["artistic"],
        spoken_disclosure=given["spoken_disclosure"],
    )


def _usual_voice() -> str:
    """Return the voice of ``config.toml``, else the program's own default."""
    from consent.home import Home

    return Home.open().setting("narration", "voice") or DEFAULT_VOICE


def _lexicon(files: Sequence[Path] | None) -> Lexicon | None:
    """Read lexicon files; entries of later ones win."""
    from voice.script import Lexicon

    if not files:
        return None
    return reduce(lambda below, above: above.over(below), map(Lexicon.load, files))


def _cast_words(cast: Mapping[str, str]) -> str:
    return "".join(f", {role}: {voice}" for role, voice in cast.items())


def _report(result: NarrationResult, *, as_json: bool) -> None:
    """Print what came out; exit code 8 if a segment stayed wrong."""
    if as_json:
        emit_json(result.to_json())
    else:
        for sentence in result.sentences():
            say(sentence)
    if not result.complete:
        raise IncompleteError(
            "not every segment could be confirmed by ear; they are listed above",
            hint="Listen to them; speak one again with --rerender ID, or edit the plan.",
        )
