"""Profiles that an operator declares: what they then send, and every mistake named."""

from __future__ import annotations

import json

import openai
import pytest
from upstream import Upstream, refusal

from hermes_hints import ConfigError, Settings, pipeline, wrap

GATEWAY = {
    "summary": "Our own gateway.",
    "headers": True,
    "native_headers": {
        "X-Tenant": "ext.acme.tenant",
        "X-Person": {"field": "user_id", "form": "hashed"},
        "X-Route": {"field": "purpose", "prefix": "to-"},
        "X-Our-<Name>": {"fields": ["chat_id", "cost_center"]},
    },
    "native_body": {"metadata.tags": {"field": "labels", "form": "list", "apis": ["chat.completions"]}},
    "json_headers": {"X-Told": {"who": "user_id", "<name>": {"fields": ["platform", "chat_type"]}}},
    "baggage": {"tenant": "ext.acme.tenant"},
}


def test_a_profile_of_one_s_own(carried):
    seen = carried("ours", profiles={"ours": GATEWAY})
    assert seen.headers["X-Hermes-User-Id"] == "alice"
    assert seen.headers["X-Tenant"] == "north"
    assert len(seen.headers["X-Person"]) == 64
    assert seen.headers["X-Route"] == "to-main"
    assert seen.headers["X-Our-Chat-Id"] == "!ops:example.org"
    assert seen.headers["X-Our-Cost-Center"] == "7"
    assert json.loads(seen.headers["X-Told"]) == {"who": "alice", "platform": "matrix", "chat_type": "group"}
    assert seen.headers["baggage"] == "tenant=north"
    assert seen.body == {"metadata": {"tags": ["red", "blue"]}}
    assert carried("ours", api="responses", profiles={"ours": GATEWAY}).body == {}


@pytest.mark.parametrize("privacy", ["pseudonymous", "none"])
def test_its_privacy_is_that_of_every_profile(privacy, carried):
    seen = carried("ours", privacy, profiles={"ours": GATEWAY})
    assert "alice" not in str(seen)
    assert "!ops" not in str(seen)
    assert ("X-Person" in seen.headers) == (privacy == "pseudonymous")


def test_one_that_starts_from_another(carried):
    tagged = {
        "like": "litellm",
        "native_headers": {"x-litellm-end-user-id": None, "x-litellm-agent-id": "agent"},
        "native_body": {"litellm_metadata.tags": {"field": "labels", "form": "list"}},
    }
    usual, seen = carried("litellm"), carried("tagged", profiles={"tagged": tagged})
    assert seen.headers.keys() == usual.headers.keys() - {"x-litellm-end-user-id"} | {"x-litellm-agent-id"}
    assert seen.body["litellm_metadata"] == {**usual.body["litellm_metadata"], "tags": ["red", "blue"]}


def test_one_that_starts_from_one_before_it(carried):
    profiles = {
        "first": {"native_headers": {"X-A": "user_id", "X-B": "chat_id"}, "json_headers": {"X-O": {"who": "user_id"}}},
        "second": {"like": "first", "native_headers": {"X-B": None}, "json_headers": {"X-O": {"where": "chat_id"}}},
        "third": {"like": "first", "json_headers": {"X-O": None}},
    }
    second = carried("second", profiles=profiles).headers
    assert second.keys() == {"X-A", "X-O"}
    assert json.loads(second["X-O"]) == {"who": "alice", "where": "!ops:example.org"}
    assert carried("third", profiles=profiles).headers.keys() == {"X-A", "X-B"}


def test_one_without_anything_is_silent():
    settings = Settings.load({"profiles": {"quiet": {}}, "endpoints": [{"match": "*", "profile": "quiet"}]})
    assert settings.endpoints[0].profile == "quiet"


def test_one_that_sends_is_not_for_everybody():
    with pytest.raises(ConfigError, match=r"covers hosts that nobody named"):
        Settings.load({"profiles": {"loud": {"body": True}}, "endpoints": [{"match": "*", "profile": "loud"}]})


def natives(part, name, item="user_id"):
    return {"mine": {part: {name: item}}}


WRONG = {
    "no mapping": ({"mine": 5}, ["hints.profiles.mine: ", "must be a mapping that declares a profile, not 5"]),
    "a list": ([], ["profiles", "valid dictionary"]),
    "a bad name": ({"Mine!": {}}, ["profiles.Mine!: ", "'Mine!' cannot be the name", "lower-case letters"]),
    "a plugin's name": ({"acme.gateway": {}}, ["profiles.acme.gateway: ", "without a dot", "plugins"]),
    "a number as name": ({5: {}}, ["profiles.5", "text without a dot"]),
    "a taken name": ({"litellm": {}}, ["profiles.litellm: ", "already", "choose another name", "like: litellm"]),
    "an unknown key": ({"mine": {"haeders": True}}, ["profiles.mine: ", "'haeders'", "did you mean 'headers'?"]),
    "its own name": ({"mine": {"name": "x"}}, ["profiles.mine: ", "'name'"]),
    "like nothing": ({"mine": {"like": "litelm"}}, ["profiles.mine.like: ", "'litelm'", "use one of", "litellm"]),
    "like a later one": ({"mine": {"like": "other"}, "other": {}}, ["profiles.mine.like: ", "'other'"]),
    "like itself": ({"mine": {"like": "mine"}}, ["profiles.mine.like: ", "'mine'"]),
    "like a list": ({"mine": {"like": ["x"]}}, ["profiles.mine.like: ", "['x']"]),
    "an empty summary": ({"mine": {"summary": " "}}, ["profiles.mine.summary: ", "sentence"]),
    "a switch": ({"mine": {"headers": "yes"}}, ["profiles.mine.headers: ", "true or false", "'yes'"]),
    "metadata": ({"mine": {"metadata": True}}, ["profiles.mine.metadata: ", "never, stored, always", "True"]),
    "natives": ({"mine": {"native_headers": ["X-A"]}}, ["profiles.mine.native_headers: ", "must be a mapping"]),
    "an unknown field": (
        natives("native_headers", "X-A", "usr_id"),
        ["profiles.mine.native_headers.X-A: ", "'usr_id'", "did you mean 'user_id'?"],
    ),
    "a field unlike any": (
        natives("span", "a", "zzzz"),
        ["profiles.mine.span.a: ", "known: user_id", "ext.<vendor.key>"],
    ),
    "the whole of ext": (natives("span", "a", "ext"), ["profiles.mine.span.a: ", "'ext'"]),
    "a bad ext key": (natives("span", "a", "ext.tenant"), ["profiles.mine.span.a: ", "'ext.tenant'"]),
    "no field": (natives("span", "a", {"form": "text"}), ["profiles.mine.span.a: ", "either field, or fields"]),
    "field and fields": (
        natives("span", "<name>", {"field": "user_id", "fields": ["chat_id"]}),
        ["profiles.mine.span.<name>: ", "either field, or fields"],
    ),
    "fields without a place": (
        natives("span", "a", {"fields": ["user_id", "chat_id"]}),
        ["profiles.mine.span.a: ", "<Name>", "<name>"],
    ),
    "fields as text": (
        natives("span", "<name>", {"fields": "user_id"}),
        ["profiles.mine.span.<name>.fields: ", "list"],
    ),
    "an unknown option": (natives("span", "a", {"feild": "user_id"}), ["'feild'", "did you mean 'field'?"]),
    "a form": (natives("span", "a", {"field": "user_id", "form": "md5"}), [".form: ", "text, hashed, token", "'md5'"]),
    "a list in a header": (
        natives("native_headers", "X-A", {"field": "labels", "form": "list"}),
        ["profiles.mine.native_headers.X-A.form: ", "only goes into the body"],
    ),
    "a small limit": (natives("span", "a", {"field": "user_id", "limit": 5}), [".limit: ", "64 to 512", "5"]),
    "a limit as text": (natives("span", "a", {"field": "user_id", "limit": "99"}), [".limit: ", "'99'"]),
    "a truth value as limit": (natives("span", "a", {"field": "user_id", "limit": True}), [".limit: ", "True"]),
    "a prefix": (natives("span", "a", {"field": "user_id", "prefix": "a\nb"}), [".prefix: ", "128 characters"]),
    "an api": (natives("span", "a", {"field": "user_id", "apis": ["chat"]}), [".apis: ", "chat.completions", "'chat'"]),
    "apis as text": (natives("span", "a", {"field": "user_id", "apis": "responses"}), [".apis: ", "list"]),
    "apis of lists": (natives("span", "a", {"field": "user_id", "apis": [["x"]]}), [".apis: ", "list"]),
    "a header with a blank": (
        natives("native_headers", "X A"),
        ["profiles.mine.native_headers.X A: ", "letters, digits"],
    ),
    "a header with a line break": (natives("native_headers", "X-A\r\nX-B"), ["'X-A\\r\\nX-B'"]),
    "the client's header": (natives("native_headers", "Authorization"), ["Authorization is the client's own header"]),
    "the signature": (natives("native_headers", "x-hermes-hints-signature"), ["signing_key"]),
    "a header twice": (
        {"mine": {"headers": True, "native_headers": {"x-hermes-user-id": "chat_id"}}},
        ["profiles.mine.native_headers.x-hermes-user-id: ", "sends the X-Hermes-* headers already"],
    ),
    "a path": (natives("native_body", "metadata..x"), ["profiles.mine.native_body.metadata..x: ", "metadata.user_id"]),
    "the model": (natives("native_body", "model", "requested_model"), ["model decides what is answered"]),
    "what is stored": (natives("native_body", "store"), ["store decides what is answered"]),
    "inside the messages": (natives("native_body", "messages.x"), ["messages decides what is answered"]),
    "the object": (natives("native_body", "hermes.user_id"), ["write body: true"]),
    "a json header": ({"mine": {"json_headers": {"X-A": 5}}}, ["profiles.mine.json_headers.X-A: ", "mapping"]),
    "a member of baggage": (natives("baggage", "a=b"), ["profiles.mine.baggage.a=b: ", "letters, digits"]),
    "an attribute": (natives("span", "a\x00"), ["cannot be a name"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_named_with_key_value_and_remedy(what):
    profiles, told = WRONG[what]
    with pytest.raises(ConfigError) as refused:
        Settings.load({"profiles": profiles}, where="hints")
    message = str(refused.value)
    assert message.startswith("hints.profiles")
    assert [part for part in told if part not in message] == []
    assert "\n" not in message
    assert "pydantic" not in message


def test_an_endpoint_names_what_is_declared():
    with pytest.raises(ConfigError) as refused:
        Settings.load({"profiles": {"mine": {}}, "endpoints": [{"match": "gpu", "profile": "mein"}]})
    assert str(refused.value).startswith("settings.endpoints.0.profile: ")
    assert "there is no profile 'mein'; use one of " in str(refused.value)
    assert " mine," in str(refused.value)


def test_what_one_settings_declare_others_do_not_know():
    Settings.load({"profiles": {"mine": {}}, "endpoints": [{"match": "gpu", "profile": "mine"}]})
    with pytest.raises(ConfigError, match="no profile 'mine'"):
        Settings.load({"endpoints": [{"match": "gpu", "profile": "mine"}]})


def test_a_declaration_that_was_mended_is_tried_afresh():
    def ask(native_body):
        pipeline._ladder.__init__()  # as in a process of its own
        profile = {"headers": True, "native_body": native_body}
        settings = {"profiles": {"mine": profile}, "endpoints": [{"match": "127.0.0.1", "profile": "mine"}]}
        with openai.OpenAI(base_url=upstream.base_url, api_key="k") as client:
            wrap(client, settings=settings, identity={"user_id": "alice"})
            client.chat.completions.create(model="m", messages=[])

    with Upstream() as upstream:
        upstream.rules.append(
            lambda request: refusal(400, "Unknown parameter: 'who'.") if "who" in request.json else None
        )
        ask({"who": "user_id"})
        ask({"who": "user_id"})
        assert ["who" in request.json for request in upstream.take()] == [True, False, False]
        ask({"person": "user_id"})
        assert upstream.only.json["person"] == "alice"
