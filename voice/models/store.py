"""Which models there are: cards of the package, of the engines and of the home folder."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from consent.errors import InputError, VivavoceError
from voice.models.card import ModelCard

if TYPE_CHECKING:
    from consent.home import Home

CARD_FILE = "card.toml"


@dataclass(frozen=True, slots=True)
class CardProblem:
    """A card that was left out of the list, and why."""

    where: str
    reason: str


@cache
def packaged_cards() -> Mapping[str, ModelCard]:
    """Return the cards that ship with the package, by id.

    Engines use this in their own ``cards()``; it asks no engine.
    """
    folder = resources.files("voice.models") / "cards"
    found: dict[str, ModelCard] = {}
    with resources.as_file(folder) as path:
        for file in sorted(path.glob("*.toml")):
            card = ModelCard.from_toml(file)
            found[card.id] = card
    return MappingProxyType(found)


def cards(home: Home | None = None) -> dict[str, ModelCard]:
    """Return every known card by id: of the package, of the engines, of the home folder.

    A card of the package cannot be replaced by an engine or a file in the home folder: its
    licence is what was reviewed. What was left out is listed by :func:`problems`.

    Parameters
    ----------
    home
        Home folder; None opens the default one.
    """
    return _collect(home)[0]


def problems(home: Home | None = None) -> tuple[CardProblem, ...]:
    """Return the cards that could not be used, with the reason."""
    return _collect(home)[1]


def get(identifier: str, home: Home | None = None) -> ModelCard:
    """Return the card called `identifier`.

    Raises
    ------
    InputError
        There is no such card; the hint lists near matches.
    """
    packaged = packaged_cards().get(identifier)
    if packaged is not None:
        return packaged
    known = cards(home)
    if identifier in known:
        return known[identifier]
    found = _ask_engines(identifier)
    if found is not None:
        return found
    lowered = {name.lower(): name for name in known}
    near = [lowered[n] for n in difflib.get_close_matches(identifier.lower(), lowered, cutoff=0.4)]
    raise InputError(
        f"there is no model called {identifier!r}",
        hint=(f"Did you mean {' or '.join(near)}? " if near else "")
        + "See the list: vivavoce models list",
    )


def licence_problem(card: ModelCard, commercial: bool) -> str | None:
    """Say why `card` may not be used for the work, or None when it may.

    Parameters
    ----------
    commercial
        Whether the work is commercial.

    Returns
    -------
    str or None
        A sentence for people, naming model, licence and reason.
    """
    if not commercial or card.commercial == "yes":
        return None
    reason = f" {card.commercial_reason}" if card.commercial_reason else ""
    if card.commercial == "no":
        return f"{card.name} may not be used for commercial work (licence: {card.licence}).{reason}"
    return (
        f"It is not known whether {card.name} may be used for commercial work "
        f"(licence: {card.licence}), so it is not allowed.{reason}"
    )


def open_home(home: Home | None) -> Home:
    """Return `home`, or the default one."""
    if home is not None:
        return home
    from consent.home import Home as DefaultHome

    return DefaultHome.open()


def _collect(home: Home | None) -> tuple[dict[str, ModelCard], tuple[CardProblem, ...]]:
    found = dict(packaged_cards())
    wrong: list[CardProblem] = []
    _add_engine_cards(found, wrong)
    for file in sorted(open_home(home).models.glob(f"*/{CARD_FILE}")):
        _add_home_card(file, found, wrong)
    return found, tuple(wrong)


def _add_engine_cards(found: dict[str, ModelCard], wrong: list[CardProblem]) -> None:
    from voice.engines import registry

    for name, engine in registry.available().items():
        try:
            offered: list[object] = list(engine.cards())
        except Exception as exc:  # a third party's engine must not take the list with it
            wrong.append(CardProblem(f"engine {name}", f"cards() failed: {exc}"))
            continue
        for card in offered:
            if not isinstance(card, ModelCard):
                wrong.append(CardProblem(f"engine {name}", f"{card!r} is not a ModelCard"))
            elif found.setdefault(card.id, card) != card:
                wrong.append(
                    CardProblem(f"engine {name}", f"the id {card.id!r} is taken by another model")
                )


def _add_home_card(file: Path, found: dict[str, ModelCard], wrong: list[CardProblem]) -> None:
    try:
        card = ModelCard.from_toml(file)
    except VivavoceError as exc:
        wrong.append(CardProblem(str(file), exc.message))
        return
    if card.folder != file.parent.name:
        wrong.append(CardProblem(str(file), f"the id {card.id!r} does not match the folder's name"))
    elif found.setdefault(card.id, card) != card:
        wrong.append(CardProblem(str(file), f"the id {card.id!r} is taken by another model"))


def _ask_engines(identifier: str) -> ModelCard | None:
    from voice.engines import registry
    from voice.engines.base import FindsCards

    for engine in registry.available().values():
        if isinstance(engine, FindsCards):
            card = engine.find_card(identifier)
            if card is not None:
                return card
    return None
