"""What the ladder remembers when there is much to remember, or somebody else finds out the same at that moment."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace

import pytest

from hermes_hints import ladder
from hermes_hints.ladder import Ladder, Rung, verdict

ORIGIN = "http://127.0.0.1:4000"


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(ladder, "time", SimpleNamespace(monotonic=lambda: now.seconds, time=lambda: now.seconds))
    return now


def test_of_very_many_models_those_that_are_over_last_stay(clock):
    remembering = Ladder()
    for number in range(3000):
        clock.seconds += 0.01
        remembering.settle(ORIGIN, f"model-{number}", Rung.BARE, named=True, status=400)

    held = [number for number in range(3000) if remembering.rung(ORIGIN, f"model-{number}") is Rung.BARE]

    assert held == [*range(3000 - 1024, 3000)]


def test_one_that_is_found_out_again_takes_nobodys_place(clock):
    remembering = Ladder()
    for number in [*range(1024), *[7] * 100]:
        remembering.settle(ORIGIN, f"model-{number}", Rung.BARE, named=True, status=400)

    assert len(remembering.held()) == 1024


def test_what_another_thread_finds_out_while_the_time_is_over_is_kept(clock, monkeypatch):
    remembering = Ladder()
    remembering.settle(ORIGIN, "m", Rung.BARE, named=True, status=400)
    clock.seconds += ladder.NAMED_SECONDS + 1
    looked = threading.Event()

    def slow():
        """Time as one asks for it who is then kept waiting, while another finds out the same anew."""
        if not looked.is_set():
            looked.set()
            remembering._rungs[ORIGIN, "m"] = (Rung.HEADERS, clock.seconds + 100)
        return clock.seconds

    monkeypatch.setattr(ladder, "time", SimpleNamespace(monotonic=slow, time=slow))
    assert remembering.rung(ORIGIN, "m") is Rung.FULL
    assert remembering.rung(ORIGIN, "m") is Rung.HEADERS


@pytest.mark.parametrize("model", [None, 5, True, "", "x" * 10**6, ["m"], {"a": 1}])
def test_a_model_may_be_anything(model, clock):
    remembering = Ladder()
    assert remembering.rung(ORIGIN, model) is Rung.FULL
    remembering.settle(ORIGIN, model, Rung.HEADERS, named=True, status=400)
    assert remembering.rung(ORIGIN, model) is (Rung.FULL if isinstance(model, list | dict) else Rung.HEADERS)


class RefusedError(Exception):
    """What an SDK raises for an answer: with the body's text in its message, and the body as it is."""

    status_code = 400

    def __init__(self, body, param=None):
        super().__init__()
        self.response = SimpleNamespace(status_code=400)
        self.message, self.body, self.param = f"Error code: 400 - {body!r}", body, param


def rung_after(body, param=None):
    return verdict(RefusedError(body, param), Rung.FULL, ["hermes", "metadata"], ["X-Hermes-User-Id"])


MEANT = {
    "openai": "Unrecognized request argument supplied: hermes",
    "openai, several": "Unrecognized request arguments supplied: foo, hermes",
    "openai, responses": "Unknown parameter: 'hermes'.",
    "openai, store": "The 'metadata' parameter is only allowed when 'store' is enabled.",
    "openai, a part": "Invalid 'metadata.hermes_user_id': string too long.",
    "groq": "property 'metadata' is unsupported",
    "anthropic": "hermes: Extra inputs are not permitted",
    "google": 'Invalid JSON payload received. Unknown name "hermes": Cannot find field.',
    "serde": "Failed to deserialize the JSON body: unknown field `hermes`, expected one of `model`, `messages` at line 1",
    "go": 'json: unknown field "hermes"',
    "jsonschema": "Additional properties are not allowed ('hermes' was unexpected)",
    "pydantic 2, as text": "1 validation error for Request\nhermes\n  Extra inputs are not permitted [type=extra_forbidden]",
    "pydantic 1, as text": "1 validation error for Request\nbody -> hermes\n  extra fields not permitted",
    "tensorrt": "body.hermes: Extra inputs are not permitted",
    "a sentence": "Argument not supported: hermes.",
    "a list": "unexpected keys [hermes, foo]",
    "both quotes": "Unknown parameter: 'hermes'. See \"docs\".",
}


@pytest.mark.parametrize("text", MEANT.values(), ids=MEANT)
@pytest.mark.parametrize("quoted", [0, 1, 2])
def test_an_answer_that_means_a_field_of_ours(text, quoted):
    """As it is, or with another server's answer repeated in it."""
    for _ in range(quoted):
        text = json.dumps({"error": {"message": text}})
    assert rung_after({"error": {"message": text}}) == (Rung.HEADERS, True)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"message": "no"}, "hermes"),
        ({"message": "no"}, "body.hermes"),
        ({"detail": [{"input": {"v": 1}, "loc": ["body", "hermes"], "type": "extra_forbidden"}]}, None),
        ({"hermes": ["Unknown field."]}, None),
    ],
)
def test_an_answer_that_names_a_field_of_ours_in_a_place_of_its_own(body, param):
    assert rung_after(body, param) == (Rung.HEADERS, True)


@pytest.mark.parametrize(
    "body",
    [
        *(
            {"error": {"message": text}}
            for text in (
                "The model `hermes-4-405b` does not support image input",
                "registry.ollama.ai/library/hermes3:latest does not support tools",
                "There is no model 'hermes-3'; check the metadata of your project.",
                "messages[0].metadata.name is too long",
                "no",
            )
        ),
        {"error": {"message": "no", "metadata": {"raw": "no"}}},
        {"detail": [{"type": "missing", "loc": ["body", "messages"], "input": {"hermes": {"v": 1}, "metadata": {}}}]},
    ],
)
def test_an_answer_that_says_our_words_in_another_sense(body):
    assert rung_after(body) == (Rung.BARE, False)
