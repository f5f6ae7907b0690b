"""Works that were made with Anna's voice, for the tests of the audit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from consent_kit import HEART, KOKORO, a_request
from grants_kit import Stage, anna_speaks

from consent.canonical import canonical
from consent.credentials.grant import Compensation
from consent.home import Home
from consent.registry import Registry

EURO_A_MINUTE = Compensation(currency="EUR", rate="1.50", unit="finished-minute")


def another_home(root: Path) -> Home:
    """A home of its own with its registry in a file, whatever database the tests run on."""
    return dataclasses.replace(Home.open(root), registry_url=f"sqlite:///{root / 'registry.db'}")


def publish(stage: Stage, *, minutes: float = 2.0, **changes: Any) -> str:
    """Publish a file of Anna's voice under a job of its own; return its output id."""
    registry = stage.registry
    authorization = registry.authorize(stage.request(**changes))
    with registry.lease(authorization.id):
        return stage.seal(authorization.id, minutes=minutes)


def begin(stage: Stage, *, minutes: float = 2.0, **changes: Any) -> str:
    """Leave a receipt without a file; return its output id."""
    registry = stage.registry
    authorization = registry.authorize(stage.request(**changes))
    registry.lease(authorization.id)
    draft = stage.draft(authorization.id, minutes=minutes)
    registry.issue_receipt(draft)
    return draft.output_id


def publish_duet(stage: Stage) -> str:
    """Publish a file in which Anna and a stock voice speak; return its output id."""
    registry = stage.registry
    request = stage.request(voices=(anna_speaks(10.0), HEART))
    authorization = registry.authorize(request)
    with registry.lease(authorization.id):
        voices = (anna_speaks(1.5), dataclasses.replace(HEART, minutes=0.5))
        draft = stage.draft(authorization.id, minutes=2.0, voices=voices)
        registry.issue_receipt(draft)
        registry.mark_sealed(draft.output_id, sha256="f" * 64, size=9, published_as="b.m4b")
    return draft.output_id


def publish_stock(registry: Registry) -> str:
    """Publish a file of a stock voice; return its output id."""
    from consent_kit import a_draft

    authorization = registry.authorize(a_request())
    with registry.lease(authorization.id):
        draft = a_draft(registry, authorization.id, models=(KOKORO,))
        registry.issue_receipt(draft)
        registry.mark_sealed(draft.output_id, sha256="d" * 64, size=9, published_as="c.m4b")
    return draft.output_id


def approve(stage: Stage, grant_id: str) -> None:
    """Let Anna approve the work that every request here is about."""
    stage.say("approval", stage.request().approval_digest, grant=grant_id, outputs=[])


def append(registry: Registry, **entry: Any) -> int:
    """Write into the log what the program would refuse to: an operator with the log's key."""
    from consent.registry.storage.ledger import writing

    core = registry._core
    with writing(core) as ledger:
        index, _ = ledger.append({"version": 1, "time": "2026-11-21T12:00:00.000Z", **entry})
    return index


def paths(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    found = [at] if at else []
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            found += paths(item, (*at, key))
    return found


def get(value: Any, path: tuple[str | int, ...]) -> Any:
    """What is at a place."""
    for step in path:
        value = value[step]
    return value


def put(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A copy of a JSON value with something else at a place."""
    if not path:
        return new
    step = path[0]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[step] = put(value[step], path[1:], new)
    return copy


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same."""
    return canonical(one) == canonical(other)
