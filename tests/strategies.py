"""What hypothesis draws: the values of the contract, and everything that is none."""

from __future__ import annotations

import math
import unicodedata

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hermes_hints import Call, Hints, Identity
from hermes_hints.call import CALL_FIELDS

settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

awkward = st.sampled_from(
    [
        *("", " ", "\t", "\x00", "\x7f", "\u00a0", "\u2028", "\ufeff", "%", "%41", "%zz", "a%", ",", "a,b", "José"),
        *(
            "Jose\u0301",
            "José\r\nX-Evil: 1",
            " padded ",
            "\u00a0padded\u00a0",
            "naïve café",
            "日本語",
            "👩\u200d👩\u200d👧",
        ),
        *(
            "\ud800",
            "a\udfffb",
            "true",
            "null",
            "NaN",
            "0",
            "-1",
            '{"a": 1}',
            "low",
            "high",
            "vendor.key",
            "e\x01\u0301",
        ),
        *("\x01 \x01", "@alice:example.org", "!room:example.org", "20261121_012008_d4149b13", "sha256-", "\u017f", "Å"),
    ]
)
wild_text = st.one_of(
    awkward,
    st.text(max_size=30),
    st.text(st.characters(exclude_categories=()), max_size=30),  # lone surrogates too
    st.builds(lambda part, times: part * times, awkward, st.integers(1, 700)),
)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**31 - 1, 2**31, 2**63 - 1, -(2**63), 2**63, 10**400, -0.0, math.inf, -math.inf, math.nan]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, wild_text)
anything = st.recursive(
    st.one_of(scalars, st.binary(max_size=20), st.just(object())),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.sets(st.text(max_size=3), max_size=3),
        st.dictionaries(st.one_of(wild_text, st.integers(), st.none()), inner, max_size=4),
    ),
    max_leaves=8,
)
"""Any value that a program may hand over."""

json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(wild_text, inner, max_size=4)),
    max_leaves=8,
)
"""Any value that JSON may hold as Python reads it, NaN and lone surrogates among them."""

present = wild_text.filter(lambda text: bool(text.strip()))
ids = st.one_of(st.from_regex(r"[A-Za-z0-9@!:._-]{1,40}", fullmatch=True), present, st.integers(-(2**62), 2**62))
short = st.one_of(st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True), present.filter(lambda text: len(text) <= 512))
vendor_keys = st.from_regex(r"[A-Za-z0-9_-]{1,12}(\.[A-Za-z0-9_-]{1,12}){1,2}", fullmatch=True)
vendor_values = st.one_of(
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    short,
)

hint_fields = {
    "user_intent": short,
    "command_origin": short,
    "requested_model": short,
    "priority": st.sampled_from(["low", "normal", "high"]),
    "experiment_arm": short,
    "cost_center": short,
    "labels": st.lists(short, max_size=6),
    "ext": st.dictionaries(vendor_keys, vendor_values, max_size=5),
}
call_fields = {
    "request_id": ids,
    "turn_id": ids,
    "task_id": ids,
    "call": st.integers(1, 2**31 - 1),
    "purpose": short,
}

identities = st.fixed_dictionaries({}, optional=dict.fromkeys(Identity.model_fields, ids)).map(
    lambda given: Identity(**given)
)
hints = st.fixed_dictionaries({}, optional=hint_fields).map(lambda given: Hints(**given))
calls = st.fixed_dictionaries({}, optional=call_fields).map(lambda given: Call(**given))


pieces = st.sampled_from(
    [
        *(
            "localhost",
            "127.0.0.1",
            "10.0.0.1",
            "[::1]",
            "::1",
            "gpu",
            "evil.com",
            "8.8.8.8",
            ".local",
            ".internal",
            "user",
            "0x7f",
            "1",
        ),
        *(
            "@",
            ":",
            "/",
            "\\",
            "?",
            "#",
            "%",
            "%2e",
            "%00",
            ".",
            "[",
            "]",
            "-",
            "80",
            "//",
            " ",
            "\t",
            "\n",
            "\x00",
            "é",
            "\u3002",
            "\uff0f",
            "\u212a",
        ),
    ]
)
hostile_urls = st.builds(
    lambda scheme, parts, text: scheme + "".join(parts) + text,
    st.sampled_from(["http://", "https://", "HTTP://", "http:", "//", ""]),
    st.lists(pieces, max_size=7),
    st.one_of(st.just(""), st.text(max_size=4)),
)
"""URLs of parts that mean different things to different parsers."""


def record_of(identity: Identity, wishes: Hints, call: Call) -> dict:
    """The sender's record, flat, as it goes to the carriers."""
    about = {key: value for key, value in call.fields().items() if key in CALL_FIELDS}
    return {**identity.fields(), **about, **wishes.fields()}


records = st.builds(record_of, identities, hints, calls)


def as_header_text(text: str) -> str:
    """What a header can carry of a text that is short enough: NFC, without control characters."""
    plain = text.encode("utf-8", "replace").decode()
    return unicodedata.normalize("NFC", "".join(char for char in plain if unicodedata.category(char) != "Cc"))


def header_size(text: str) -> int:
    """The bytes that a header needs for a text, counted character by character."""
    shown = as_header_text(text)
    blanks = len(shown) - len(shown.strip(" "))
    return 2 * blanks + sum(1 if char.isascii() and char != "%" else 3 * len(char.encode()) for char in shown)
