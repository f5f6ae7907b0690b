"""``vivavoce voices``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import emit_json, say, table, warn

app = typer.Typer(help="The voices that can be used now.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command("list")
def list_voices(
    language: Annotated[
        str | None, typer.Option(help="Only voices of this language, e.g. en or en-GB.")
    ] = None,
    commercial: Annotated[
        bool, typer.Option("--commercial", help="Only voices that may be used commercially.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List voices with language, licence and what they may be used for.

    [bold]vivavoce voices list --language en-GB --commercial[/bold]
    """
    from voice import engines

    found = [
        voice
        for voice in engines.voices()
        if (not commercial or voice.commercial)
        and (
            language is None
            or any(tag.lower().startswith(language.lower()) for tag in voice.languages)
        )
    ]
    for problem in engines.problems():
        warn(f"engine {problem.engine} ({problem.distribution}): {problem.reason}")
    if as_json:
        emit_json([_as_json(voice) for voice in found])
        return
    table(
        ("voice", "engine", "language", "gender", "licence", "commercial", "description"),
        (
            (
                voice.name,
                voice.engine,
                ", ".join(voice.languages),
                voice.gender,
                voice.licence,
                "yes" if voice.commercial else "no",
                voice.description,
            )
            for voice in found
        ),
    )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Voice, e.g. af_heart or kokoro:af_heart.")],
    as_json: Json = False,
) -> None:
    """Show one voice and the model behind it."""
    from voice import engines, models

    _, voice = engines.find_voice(name)
    card = models.get(voice.model)
    if as_json:
        emit_json(_as_json(voice) | {"model_card": asdict(card)})
        return
    basis = "stock voice: a licence, no person's consent" if voice.basis == "stock" else voice.basis
    table(
        ("", ""),
        (
            ("voice", voice.qualified),
            ("language", ", ".join(voice.languages)),
            ("gender", voice.gender),
            ("basis", basis),
            ("licence", voice.licence),
            ("commercial use", "allowed" if voice.commercial else "not allowed"),
            ("model", f"{card.id} ({card.name})"),
            ("training data", card.training_data),
        ),
    )


@app.command("import")
def import_voice(
    model: Annotated[Path, typer.Argument(help="A Piper voice: NAME.onnx")],
    config: Annotated[
        Path | None, typer.Option(help="Its configuration; NAME.onnx.json if not given.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name to use; the file's if not given.")] = None,
    licence: Annotated[
        str, typer.Option(help="Licence of the voice, as its publisher states it (SPDX id).")
    ] = "unknown",
    commercial: Annotated[
        bool, typer.Option("--commercial", help="That licence allows commercial use.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import a Piper voice into the coqui engine.

    [bold]vivavoce voices import en_GB-alba-medium.onnx --licence CC-BY-4.0 --commercial[/bold]
    """
    from consent.home import Home
    from voice.engines.coqui import import_piper_voice

    voice = import_piper_voice(
        model,
        config if config is not None else model.with_name(model.name + ".json"),
        Home.open(),
        name=name or model.stem,
        licence=licence,
        commercial=commercial,
    )
    if as_json:
        emit_json(_as_json(voice))
    else:
        say(f"Imported {voice.qualified} ({', '.join(voice.languages)}, licence {voice.licence}).")


def _as_json(voice: Any) -> dict[str, Any]:
    return asdict(voice) | {"qualified": voice.qualified}
