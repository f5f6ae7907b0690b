"""Which engines and voices there are on this machine.

Engines are entry points of the group ``vivavoce.engines``: the package's own and those of any
other installed distribution. One that cannot be used is reported by :func:`problems` and does
not stop the others.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import metadata
from types import MappingProxyType
from typing import TypeVar

from consent.errors import InputError, ModelError
from voice.engines.base import FindsVoices, SpeechEngine, Voice
from voice.models.card import forbids_commerce

GROUP = "vivavoce.engines"
_OWN = "vivavoce"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EngineProblem:
    """An engine, or a part of one, that cannot be used.

    Attributes
    ----------
    engine
        Name of the entry point.
    distribution
        Package that brings it.
    reason
        What went wrong.
    """

    engine: str
    distribution: str
    reason: str


@dataclass(frozen=True)
class _Found:
    engines: MappingProxyType[str, SpeechEngine]
    distributions: MappingProxyType[str, str]
    problems: tuple[EngineProblem, ...]


def available() -> dict[str, SpeechEngine]:
    """Return the usable engines by name; the package's own come first."""
    return dict(_discover().engines)


def problems() -> tuple[EngineProblem, ...]:
    """Return what cannot be used and why: broken engines, clashing names, broken lists."""
    return _discover().problems + _voices()[1]


def voices() -> tuple[Voice, ...]:
    """Return the voices of all engines that can be used now; loads no model."""
    return _voices()[0]


def find_voice(name: str) -> tuple[SpeechEngine, Voice]:
    """Return the voice called `name` and its engine.

    Parameters
    ----------
    name
        Short (``af_heart``) if no other engine has a voice of that name, or qualified
        (``kokoro:af_heart``). Engines may know more than they list: a catalogue's name or a
        path (``coqui:/path/to/folder``).

    Raises
    ------
    InputError
        Unknown (the hint lists near matches) or ambiguous.
    ModelError
        The engine found something that is not a voice.
    """
    engines = _discover().engines
    known = voices()
    prefix, _, rest = name.partition(":")
    if rest and prefix in engines:
        for voice in known:
            if voice.qualified == name:
                return engines[prefix], voice
        engine = engines[prefix]
        if isinstance(engine, FindsVoices) and (unlisted := engine.find(rest)) is not None:
            if fault := _fault(unlisted, prefix):
                raise ModelError(f"the engine {prefix!r} returned {fault}")
            return engine, unlisted
        raise _unknown(name, known, engines)
    matches = [voice for voice in known if voice.name == name]
    if len(matches) == 1:
        return engines[matches[0].engine], matches[0]
    if matches:
        raise InputError(
            f"several engines have a voice called {name!r}",
            hint="Say which: " + " or ".join(voice.qualified for voice in matches),
        )
    raise _unknown(name, known, engines)


def refresh() -> None:
    """Forget what was found, so that newly installed engines are seen."""
    _discover.cache_clear()


def _unknown(name: str, known: Sequence[Voice], engines: object) -> InputError:
    prefix, _, rest = name.partition(":")
    names = {voice.qualified.lower(): voice.qualified for voice in known}
    names |= {voice.name.lower(): voice.qualified for voice in known}
    close = difflib.get_close_matches(name.lower(), names, n=4, cutoff=0.5)
    near = list(dict.fromkeys(names[n] for n in close))[:3]
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    if rest and prefix not in _discover().engines:
        broken = [p for p in _discover().problems if p.engine == prefix]
        if broken:
            return InputError(
                f"the voice {name!r} needs the engine {prefix!r}, which cannot be used: "
                f"{broken[0].reason}",
                hint=hint or None,
            )
    return InputError(
        f"there is no voice called {name!r}", hint=hint + "See the list: vivavoce voices list"
    )


@cache
def _discover() -> _Found:
    engines: dict[str, SpeechEngine] = {}
    origin: dict[str, str] = {}
    wrong: list[EngineProblem] = []
    points = {  # the same distribution can be on the path twice (editable installs)
        (point.name, point.value, _distribution_of(point)): point
        for point in metadata.entry_points(group=GROUP)
    }
    # The package's own engines first: no other package can take their names.
    order = sorted(points, key=lambda key: (key[2] != _OWN, key[2], key[0], key[1]))
    for key in order:
        name, value, distribution = key

        def report(reason: str, name: str = name, distribution: str = distribution) -> None:
            wrong.append(EngineProblem(name, distribution, reason))

        if name in engines:
            report(f"the name {name!r} is taken by the engine of {origin[name]}")
            continue
        try:
            engine = points[key].load()()
        except (Exception, SystemExit) as exc:  # whatever a third party's module does on import
            report(f"{value} cannot be loaded: {type(exc).__name__}: {exc}")
            continue
        if not isinstance(engine, SpeechEngine):
            report(f"{value} is not a speech engine: {_lacking(engine)}")
        elif engine.name != name:
            report(f"{value} calls itself {engine.name!r}, its entry point {name!r}")
        else:
            engines[name] = engine
            origin[name] = distribution
    return _Found(MappingProxyType(engines), MappingProxyType(origin), tuple(wrong))


def _distribution_of(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown package"


def _lacking(engine: object) -> str:
    wanted = ("name", "cards", "voices", "fingerprint", "load")
    missing = [attribute for attribute in wanted if not hasattr(engine, attribute)]
    return f"it lacks {', '.join(missing)}" if missing else "it does not fit the interface"


def _voices() -> tuple[tuple[Voice, ...], tuple[EngineProblem, ...]]:
    found = _discover()
    listed: dict[str, Voice] = {}
    wrong: list[EngineProblem] = []
    for name, engine in found.engines.items():
        offered, problem = _guarded(engine.voices)
        if offered is None:
            wrong.append(EngineProblem(name, found.distributions[name], f"voices(): {problem}"))
            continue
        for voice in offered:
            if fault := _fault(voice, name):
                reason = f"voices() returned {fault}"
            elif voice.qualified in listed:
                reason = f"there are two voices called {voice.qualified}"
            else:
                listed[voice.qualified] = voice
                continue
            wrong.append(EngineProblem(name, found.distributions[name], reason))
    return tuple(listed.values()), tuple(wrong)


def _guarded(call: Callable[[], Sequence[T]]) -> tuple[list[T] | None, str]:
    try:
        return list(call()), ""
    except (Exception, SystemExit) as exc:  # one engine's failure must not hide the others' voices
        return None, f"{type(exc).__name__}: {exc}"


def _fault(voice: object, engine: str) -> str:
    """Say what of a voice is not as :class:`Voice` declares it; empty if all is well."""
    if not isinstance(voice, Voice) or voice.engine != engine:
        return f"{voice!r}, which is not a voice of {engine}"
    for field in fields(voice):
        value = getattr(voice, field.name)
        if field.name == "languages":
            if not isinstance(value, tuple) or not all(isinstance(tag, str) for tag in value):
                return f"{voice.name!r} with the languages {value!r}, not a tuple of tags"
        elif not isinstance(value, bool if field.name == "commercial" else str):
            return f"{voice.name!r} with the {field.name} {value!r}"
    if voice.commercial and forbids_commerce(voice.licence):
        return f"{voice.name!r} as free for commerce under {voice.licence}, which forbids it"
    return ""
