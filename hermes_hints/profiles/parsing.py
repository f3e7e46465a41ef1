"""Profiles that operators and plugins declare: from a mapping, with every mistake named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, cast, get_args

from ..endpoints import CONVERSE, FAMILIES
from ..errors import ConfigError
from ..notices import explained
from ..values import MAX_CHARS, is_ext_key, nearest, unknown_name
from ..wire import BODY_KEY, SIGNATURE, WIRE_FIELDS
from .builtin import BUILTIN
from .declaration import FIELD_IN_TITLE, FIELD_IN_WORDS, Form, Native, Natives, Profile, each

__all__ = ["parse_profile", "parse_profiles", "profiles_of"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$&'*+.^_`|~-]{1,128}")
"""A header's or a baggage member's name (RFC 9110, 5.6.2), but for ``%``."""
_PATH = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,4}")
_WORD = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
_SHORTEST_LIMIT = 64
_OURS = "x-hermes-"
_APIS = frozenset({family.api for family in FAMILIES.values()} | {CONVERSE})
_SWITCHES = ("body", "headers", "request_metadata", "advertised")
_METADATA = ("never", "stored", "always")
_CLIENTS_OWN = frozenset(
    {
        *("authorization", "api-key", "x-api-key", "proxy-authorization", "cookie", "host", "user-agent"),
        *("content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "upgrade", "te"),
        *("accept", "accept-encoding", "expect", "trailer", "keep-alive", "traceparent", "tracestate"),
    }
)
"""Headers that are the client's or the connection's."""
_REQUESTS_OWN = frozenset(
    {
        *(
            "model",
            "models",
            "messages",
            "input",
            "prompt",
            "instructions",
            "system",
            "stream",
            "stream_options",
            "store",
        ),
        *(
            "tools",
            "tool_choice",
            "functions",
            "function_call",
            "response_format",
            "text",
            "n",
            "stop",
            "seed",
            "include",
        ),
        *("temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "max_output_tokens", "reasoning"),
        *("reasoning_effort", "previous_response_id", "conversation", "modalities", "audio", "provider", "extra_body"),
    }
)
"""Fields of the body that decide what is answered."""
_KEYS = (*(key for key in Profile._fields if key != "name"), "like")


def parse_profiles(given: Mapping[Any, object], *, key: str = "profiles") -> Mapping[str, Profile]:
    """The built-in profiles and those that an operator declares, by name; each may start from those before it.

    Raises:
        ConfigError: as `parse_profile`, and for a name with a dot, which is a plugin's.
    """
    known = dict(BUILTIN)
    for name, declaration in given.items():
        place = f"{key}.{_shown(name)}"
        if not isinstance(name, str) or "." in name:
            _refuse(place, "the name of a profile is text without a dot; names with one are those of plugins")
        known[name] = parse_profile(name, declaration, key=place, known=known)
    return known


def parse_profile(name: str, given: object, *, key: str, known: Mapping[str, Profile] = BUILTIN) -> Profile:
    """The profile that ``given`` declares: a mapping of the fields of `Profile`, or a `Profile`.

    ``like`` names a profile to start from, of those ``known``; of its native names, those that are given again replace it
    and those that are given as null are left out. A native name is declared by a field (``user_id``), or by a mapping of the
    fields of `Native`; with ``fields``, a list, ``<Name>`` or ``<name>`` in the native name stands for each of them.

    Raises:
        ConfigError: it is wrong; the message names ``key``, the value and the remedy.
    """
    if _NAME.fullmatch(name) is None:
        _refuse(key, f"{name!r:.80} cannot be the name of a profile; use lower-case letters, digits, '.', '_' and '-'")
    if name in known:
        _refuse(key, f"there is a profile {name!r} already; choose another name, and start from it with like: {name}")
    if isinstance(given, Profile):
        given = {field: value for field, value in given._asdict().items() if field != "name"}
    told = _mapping(given, key, "a mapping that declares a profile")
    for found in told:
        if found not in _KEYS:
            _refuse(key, unknown_name("a profile", found, _KEYS))
    base = Profile(name, f"Declared in {key}.")
    if told.get("like") is not None:
        like = told["like"]
        if not isinstance(like, str) or like not in known:
            _refuse(f"{key}.like", f"there is no profile {like!r:.80}; use one of {', '.join(sorted(known))}")
        base = known[like]._replace(name=name)
    profile = base._replace(**_changes(base, told, key))
    doubled = [header for header in profile.native_headers if header.lower().startswith(_OURS)]
    if profile.headers and doubled:
        _refuse(
            f"{key}.native_headers.{doubled[0]}", "headers: true sends the X-Hermes-* headers already; leave out either"
        )
    return profile


def _changes(base: Profile, told: Mapping[str, Any], key: str) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for part, value in told.items():
        place = f"{key}.{part}"
        if part == "json_headers":
            changes[part] = _objects(base.json_headers, value, place)
        elif part in _CHECKS:
            changes[part] = _natives(getattr(base, part), value, place, _CHECKS[part])
        elif part != "like":
            changes[part] = _plain(part, value, place)
    return changes


def _plain(part: str, value: object, key: str) -> object:
    if part in _SWITCHES and not isinstance(value, bool):
        _refuse(key, f"must be true or false, not {value!r:.80}")
    if part == "metadata" and value not in _METADATA:
        _refuse(key, f"must be one of {', '.join(_METADATA)}, not {value!r:.80}")
    if part == "summary" and (not isinstance(value, str) or not value.strip()):
        _refuse(key, f"must be a sentence for whoever chooses a profile, not {value!r:.80}")
    return value


def _objects(base: Mapping[str, Natives], given: object, key: str) -> Mapping[str, Natives]:
    held = dict(base)
    for name, item in _mapping(given, key, "a mapping of header names to objects").items():
        place = f"{key}.{_shown(name)}"
        _check_header(name, place)
        if item is None:
            held.pop(name, None)
        else:
            held[name] = _natives(base.get(name, {}), item, place, _check_word)
    return held


def _natives(base: Natives, given: object, key: str, check: Callable[[object, str], None]) -> Natives:
    natives = dict(base)
    for name, item in _mapping(given, key, "a mapping of native names to fields").items():
        place = f"{key}.{_shown(name)}"
        if item is None:
            natives.pop(name, None)
            continue
        for found, native in _declared(str(name), item, place).items():
            check(found, place)
            if native.form == "list" and check is not _check_path:
                _refuse(
                    f"{place}.form", "a list only goes into the body; leave it out, and labels are joined by commas"
                )
            natives[found] = native
    return natives


def _declared(name: str, item: object, key: str) -> Natives:
    """What one entry declares: one native name, or one for each of its ``fields``."""
    if isinstance(item, Native):
        item = item._asdict()
    told: Mapping[str, Any] = {"field": item} if isinstance(item, str) else _mapping(item, key, "a field or a mapping")
    for found in told:
        if found not in (*Native._fields, "fields"):
            _refuse(key, unknown_name("a native name", found, (*Native._fields, "fields")))
    if ("field" in told) == ("fields" in told):
        _refuse(key, "say which field it carries: either field, or fields with <Name> in the native name")
    fields = told["fields"] if "fields" in told else [told["field"]]
    if not isinstance(fields, list | tuple):
        _refuse(f"{key}.fields", f"must be a list of fields, not {fields!r:.80}")
    chosen = [_field(field, key) for field in cast("Iterable[object]", fields)]
    native = Native(
        chosen[0] if chosen else "", _form(told, key), _limit(told, key), _prefix(told, key), _apis(told, key)
    )
    if "fields" not in told:
        return {name: native}
    if FIELD_IN_TITLE not in name and FIELD_IN_WORDS not in name:
        _refuse(key, "fields needs a place for each one's name: write <Name> (Chat-Id) or <name> (chat_id) into it")
    plain = each(name, chosen)
    return {found: native._replace(field=entry.field) for found, entry in plain.items()}


def _field(field: object, key: str) -> str:
    if isinstance(field, str) and (
        (field in WIRE_FIELDS and field != "ext") or (field.startswith("ext.") and is_ext_key(field[4:]))
    ):
        return field
    near = nearest(str(field), WIRE_FIELDS)
    hint = f"did you mean {near!r}?" if near else f"known: {', '.join(WIRE_FIELDS)}, and ext.<vendor.key>"
    return _refuse(key, f"there is no field {field!r:.80}; {hint}")


def _form(told: Mapping[str, Any], key: str) -> Form:
    form = told.get("form", "text")
    if form not in get_args(Form):
        _refuse(f"{key}.form", f"must be one of {', '.join(get_args(Form))}, not {form!r:.80}")
    return cast("Form", form)


def _limit(told: Mapping[str, Any], key: str) -> int:
    limit = told.get("limit", MAX_CHARS)
    if type(limit) is not int or not _SHORTEST_LIMIT <= limit <= MAX_CHARS:
        _refuse(f"{key}.limit", f"must be a whole number from {_SHORTEST_LIMIT} to {MAX_CHARS}, not {limit!r:.80}")
    return limit


def _prefix(told: Mapping[str, Any], key: str) -> str:
    prefix = told.get("prefix", "")
    if not isinstance(prefix, str) or (prefix and _WORD.fullmatch(prefix) is None):
        _refuse(f"{key}.prefix", f"must be text of at most 128 characters, not {prefix!r:.80}")
    return prefix


def _apis(told: Mapping[str, Any], key: str) -> tuple[str, ...]:
    apis = told.get("apis", ())
    if not isinstance(apis, list | tuple) or not _APIS.issuperset(map(str, cast("Iterable[object]", apis))):
        _refuse(f"{key}.apis", f"must be a list of some of {', '.join(sorted(_APIS))}, not {apis!r:.80}")
    return tuple(cast("Iterable[str]", apis))


def _check_header(name: object, key: str) -> None:
    _check_token(name, key)
    lower = str(name).lower()
    if lower in _CLIENTS_OWN:
        _refuse(key, f"{name} is the client's own header; choose another")
    if lower == SIGNATURE.lower():
        _refuse(key, f"{name} is set where headers is true and there is a signing_key; choose another")


def _check_token(name: object, key: str) -> None:
    if not isinstance(name, str) or _TOKEN.fullmatch(name) is None:
        _refuse(key, f"{name!r:.80} is no name that a header can hold; use letters, digits and -")


def _check_word(name: object, key: str) -> None:
    if not isinstance(name, str) or _WORD.fullmatch(name) is None:
        _refuse(key, f"{name!r:.80} cannot be a name; use at most 128 characters, none of them control characters")


def _check_path(name: object, key: str) -> None:
    if not isinstance(name, str) or _PATH.fullmatch(name) is None:
        _refuse(key, f"{name!r:.80} is no field of a body; write a name, or a path such as metadata.user_id")
    top = str(name).partition(".")[0]
    if top in _REQUESTS_OWN:
        _refuse(key, f"{top} decides what is answered, and hints do not; choose another field")
    if top == BODY_KEY:
        _refuse(key, f"{top} is the object with every field; write body: true")


_CHECKS: Mapping[str, Callable[[object, str], None]] = {
    "native_body": _check_path,
    "native_headers": _check_header,
    "baggage": _check_token,
    "span": _check_word,
}
"""What is wrong with a native name, by where it stands."""


def _mapping(found: object, key: str, what: str) -> Mapping[Any, Any]:
    if not isinstance(found, Mapping):
        _refuse(key, f"must be {what}, not {found!r:.80}")
    return cast("Mapping[Any, Any]", found)  # type: ignore[redundant-cast]  # pyright knows less


def _shown(name: object) -> str:
    """A name as part of a place in a message, on one line whatever it is."""
    text = f"{name!s:.80}"
    return text if text.isprintable() else repr(text)


def _refuse(key: str, reason: str) -> NoReturn:
    msg = f"{key}: {reason}"
    raise ConfigError(msg)


def profiles_of(
    functions: Iterable[Callable[[], object]], plugin: str, taken: Mapping[str, Profile]
) -> tuple[dict[str, Profile], list[str]]:
    """What a plugin's implementations of ``hint_profiles`` declare, and what cannot be used of it, a sentence each.

    ``taken`` are the profiles of other plugins. Never raises.
    """
    profiles: dict[str, Profile] = {}
    problems: list[str] = []
    for function in functions:
        try:
            declared = _by_name(function())
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            problems.append(f"hint_profiles raised {explained(error, private=False)}")
            continue
        for name, declaration in declared:
            try:
                profiles[str(name)] = _parsed(name, declaration, plugin, {**BUILTIN, **taken, **profiles})
            except ConfigError as error:
                problems.append(str(error))
    return profiles, problems


def _by_name(returned: object) -> list[tuple[object, object]]:
    if returned is None:
        return []
    if isinstance(returned, Mapping):
        return list(cast("Mapping[object, object]", returned).items())
    if isinstance(returned, Profile | str | bytes) or not isinstance(returned, Iterable):
        msg = f"returned {type(returned).__name__}, not a mapping of names to declarations or a list of Profile"
        raise TypeError(msg)
    listed = list(cast("Iterable[object]", returned))
    return [(item.name if isinstance(item, Profile) else None, item) for item in listed]


def _parsed(name: object, declaration: Any, plugin: str, known: Mapping[str, Profile]) -> Profile:
    key = f"hint_profiles of {plugin}: {name!s:.80}"
    if not isinstance(name, str):
        msg = f"{key}: must be a Profile, or under its name in a mapping"
        raise ConfigError(msg)
    if name not in known and "." not in name:
        msg = f"{key}: a plugin's profile has a dot in its name, as in {plugin}.{name}"
        raise ConfigError(msg)
    return parse_profile(name, declaration, key=key, known=known)
