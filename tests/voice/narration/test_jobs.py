from __future__ import annotations

from dataclasses import replace

import pytest
from narration_kit import ToneFolder, make_plan

from consent.errors import InputError, StorageError
from consent.home import Home
from voice.narration.job import make_job, parse_orders
from voice.narration.state import JobState
from voice.narration.usage import Usage
from voice.script.model import Plan


@pytest.fixture
def plan(tone: ToneFolder) -> Plan:
    return make_plan(["One sentence.", "low:bass| Another one."], ["A third."])


def test_the_same_command_is_the_same_job(plan: Plan) -> None:
    assert make_job(plan).digest == make_job(plan).digest


def test_what_is_said_by_whom_how_and_what_for_makes_the_job(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = {
        make_job(plan).digest,
        make_job(plan, speed=1.1).digest,
        make_job(plan, usage=Usage(commercial=True)).digest,
        make_job(plan, usage=Usage(purpose="speech")).digest,
        make_job(plan, usage=Usage(channel="store")).digest,
        make_job(plan, usage=Usage(territory="FR")).digest,
        make_job(plan, usage=Usage(licensee="p1")).digest,
        make_job(plan, usage=Usage(content=("none",))).digest,
        make_job(replace(plan, narrator="tone:quiet")).digest,
        make_job(replace(plan, chapters=plan.chapters[:1])).digest,
        make_job(replace(plan, title="Other")).digest,
    }
    monkeypatch.setenv("TONE_VERSION", "2")
    digests.add(make_job(plan).digest)
    assert len(digests) == 12


def test_the_request_names_every_voice_and_model_with_their_licences(plan: Plan) -> None:
    request = make_job(plan).request
    assert {v.voice: v.licence for v in request.voices} == {
        "tone:alto": "Apache-2.0",
        "low:bass": "CC-BY-NC-4.0",
    }
    assert {m.model: m.commercial for m in request.models} == {"tone": "yes", "low-tone": "no"}
    assert request.languages == ("en-US",)
    request.check()


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_enough_minutes_are_asked_for(plan: Plan, speed: float) -> None:
    job = make_job(plan, speed=speed)
    characters = sum(len(u.segment.spoken) for u in job.utterances)
    slow_reader = characters / 11 / speed / 60
    assert job.request.minutes > slow_reader


def test_orders_are_read(plan: Plan) -> None:
    utterances = make_job(plan).utterances
    assert parse_orders(["1.1", " 2.1=3 "], utterances) == {"1.1": None, "2.1": 3}
    for bad in ("1", "1.1=", "1.1=x", "1.1.1", "", "-1.1", "1.1=-3", "1.1=" + "9" * 30):
        with pytest.raises(InputError):
            parse_orders([bad], utterances)


def test_an_order_is_the_same_until_it_is_in_a_finished_file(home: Home) -> None:
    with JobState(home, "j") as state:
        assert state.order("1.1", None) == 1
    with JobState(home, "j") as state:  # the run was killed: it is the same order
        assert state.order("1.1", None) == 1
        state.finish()
        assert state.order("1.1", None) == 2
        assert state.order("1.1", 7) == 7
    with JobState(home, "other") as state:
        assert state.variations() == {}


def test_verdicts_belong_to_renderings_and_outputs_to_jobs(home: Home) -> None:
    with JobState(home, "one") as state:
        state.remember_verdict("k", {"verdict": "ok"})
        state.remember_output(home.root / "a.m4b", {"content": "c"})
        with pytest.raises(StorageError, match="another process"), JobState(home, "one"):
            pass
        with JobState(home, "two") as other:
            assert other.verdicts(["k", "l"]) == {"k": {"verdict": "ok"}}
            assert other.outputs() == {}
        assert state.outputs() == {str(home.root / "a.m4b"): {"content": "c"}}
        state.finish()
        assert state.outputs() == {}
