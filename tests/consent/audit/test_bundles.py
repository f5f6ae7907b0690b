from __future__ import annotations

import pytest
from grants_kit import Stage

from consent.audit.making import make_bundle
from consent.audit.verifying import CONSISTENT, PROVED, Trust, verify_bundle
from consent.registry import Registry


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def published(stage: Stage, *, minutes: float = 2.0, **changes: object) -> str:
    authorization = stage.registry.authorize(stage.request(**changes))
    with stage.registry.lease(authorization.id):
        return stage.seal(authorization.id, minutes=minutes)


@pytest.mark.parametrize("redacted", [False, True])
def test_a_bundle_is_proved_by_the_log_key_known_from_elsewhere(
    stage: Stage, redacted: bool
) -> None:
    stage.grant()
    output_id = published(stage)
    bundle = make_bundle(stage.registry, [output_id], redacted=redacted)
    report = verify_bundle(bundle, Trust(log_key=stage.registry.log.vkey))
    assert report.problems == []
    assert report.verdict == PROVED
    assert verify_bundle(bundle).verdict == CONSISTENT
