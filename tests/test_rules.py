"""Rule files: what matches, what is chosen, and what is said of a mistake."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_hints.errors import ConfigError
from hermes_hints.rules import Choice, load_rules, parse_rules
from hermes_hints.wire import Record

EXAMPLE = """\
default: local-small
rules:
  - name: the user wants the cloud
    match: {user_intent: force-cloud}
    model: cloud-large
  - match:
      purpose: [title_generation, compression, "*_search"]
      user_intent: {present: false}
    model: local-tiny
  - name: Europe
    match: {ext.acme.region: "eu*"}
    model: eu-only
"""


def chosen(match: str, record: Record, model: str | None = "asked", api: str | None = "chat.completions") -> bool:
    """Whether a single rule with this ``match`` matches."""
    rules = parse_rules(f"default: other\nrules:\n  - match: {match}\n    model: this\n")
    return rules.choose(record, model=model, api=api).model == "this"


def mistake(text: str, **options) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_rules(text, source="rules.yaml", **options)
    return str(caught.value)


def test_first_matching_rule_wins_and_says_why():
    rules = parse_rules(EXAMPLE)

    both = Record(user_intent="force-cloud", ext={"acme.region": "eu-west"})
    assert rules.choose(both, model=None, api=None) == Choice(
        "cloud-large", "the user wants the cloud", "user_intent is 'force-cloud'"
    )
    title = rules.choose(Record(purpose="title_generation"), model=None, api=None)
    assert title == Choice(
        "local-tiny",
        "rule 2",
        "purpose is 'title_generation' or 'compression' or '*_search'; user_intent is absent",
    )
    assert rules.choose(Record(ext={"acme.region": "eu-west"}), model=None, api=None).rule_name == "Europe"


def test_default_serves_where_nothing_matches():
    rules = parse_rules(EXAMPLE)
    assert rules.choose(Record(), model="gpt-x", api="responses") == Choice("local-small", "default", "no rule matched")
    assert parse_rules("default: only\n").choose(Record(), model=None, api=None).model == "only"
    assert parse_rules("default: only\nrules: []\n").choose(Record(), model=None, api=None).model == "only"


def test_models_are_listed_once_with_the_default_first():
    more = EXAMPLE + "  - {match: {user_id: u}, model: local-small}\n"
    assert parse_rules(more).models == ("local-small", "cloud-large", "local-tiny", "eu-only")


@pytest.mark.parametrize(
    ("match", "record"),
    [
        ("{user_id: '@alice:example.org'}", Record(user_id="@alice:example.org")),
        ("{user_id: '@*:example.org'}", Record(user_id="@alice:example.org")),
        ("{chat_type: group, platform: matrix}", Record(chat_type="group", platform="matrix")),
        ("{labels: urgent}", Record(labels=["night", "urgent"])),
        ("{labels: [nope, 'urg*']}", Record(labels=["night", "urgent"])),
        ("{call: 12}", Record(call=12)),
        ("{call: '1*'}", Record(call=12)),
        ("{message_id: 12}", Record(message_id="12")),
        ("{priority: [normal, high]}", Record(priority="high")),
        ("{ext.acme.beta: true}", Record(ext={"acme.beta": True})),
        ("{ext.acme.beta: 'true'}", Record(ext={"acme.beta": True})),
        ("{ext.acme.score: 0.5}", Record(ext={"acme.score": 0.5})),
        ("{ext.acme.sub.key: 7}", Record(ext={"acme.sub.key": 7})),
        ("{ext.acme.beta: {present: true}}", Record(ext={"acme.beta": False})),
        ("{thread_id: {present: false}}", Record()),
        ("{thread_id: [{present: false}, main]}", Record()),
        ("{thread_id: [{present: false}, main]}", Record(thread_id="main")),
        ("{user_name: 'José'}", Record(user_name=unicodedata.normalize("NFD", "José"))),
        ("{user_intent: 'a\\*b'}", Record(user_intent="a*b")),
        ("{user_intent: 'no'}", Record(user_intent="no")),
        ("{model: 'asked', api: 'chat*'}", Record()),
    ],
)
def test_matches(match, record):
    assert chosen(match, record)


@pytest.mark.parametrize(
    ("match", "record"),
    [
        ("{user_id: '@alice:example.org'}", Record()),
        ("{user_id: '*'}", Record()),
        ("{user_id: 'alice'}", Record(user_id="alice2")),
        ("{user_id: 'alice'}", Record(user_id="Alice")),
        ("{user_id: 'a.c'}", Record(user_id="abc")),
        ("{user_id: 'aba*aba'}", Record(user_id="aba")),
        ("{chat_type: group, platform: matrix}", Record(chat_type="group", platform="telegram")),
        ("{chat_type: group, platform: matrix}", Record(chat_type="group")),
        ("{labels: {present: true}}", Record()),
        ("{labels: urg}", Record(labels=["urgent"])),
        ("{ext.acme.beta: true}", Record(ext={"acme.beta": False})),
        ("{ext.acme.beta: {present: true}}", Record(ext={"acme.gamma": True})),
        ("{thread_id: {present: false}}", Record(thread_id="main")),
        ("{user_intent: 'a\\*b'}", Record(user_intent="axb")),
        ("{requested_model: asked}", Record()),
        ("{api: responses}", Record()),
    ],
)
def test_does_not_match(match, record):
    assert not chosen(match, record)


def test_model_and_api_that_are_not_known_are_absent():
    assert chosen("{model: {present: false}, api: {present: false}}", Record(), model=None, api=None)
    assert not chosen("{model: '*'}", Record(), model=None)


def test_reason_repeats_nothing_of_the_request():
    rules = parse_rules("default: a\nrules:\n  - match: {user_id: '@*'}\n    model: b\n")
    assert "alice" not in rules.choose(Record(user_id="@alice"), model=None, api=None).reason


glob_text = st.text(alphabet="ab*", max_size=8)


@given(pattern=glob_text.filter(bool), value=st.text(alphabet="ab", min_size=1, max_size=12))
def test_star_stands_for_any_characters(pattern, value):
    meant = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    assert chosen(f"{{user_id: '{pattern}'}}", Record(user_id=value)) == (meant.fullmatch(value) is not None)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_any_text_matches_itself_when_quoted_and_its_stars_escaped(text):
    quoted = text.replace("*", r"\*").replace("'", "''")
    assert chosen(f"{{user_id: '{quoted}'}}", Record(user_id=text))


def test_a_pattern_of_many_stars_is_quick():
    many = "*".join("a" * 200)
    assert not chosen(f"{{user_id: '*{many}*b'}}", Record(user_id="a" * 512))


def test_file_is_read_as_utf8_with_or_without_a_mark(tmp_path):
    for encoding in ("utf-8", "utf-8-sig"):
        file = tmp_path / f"{encoding}.yaml"
        file.write_text("default: modèle\n", encoding=encoding)
        assert load_rules(file).default == "modèle"
        assert load_rules(str(file)).default == "modèle"


def test_file_that_cannot_be_read(tmp_path):
    missing = tmp_path / "none.yaml"
    with pytest.raises(
        ConfigError, match=r"none\.yaml' cannot be read \(No such file or directory\); name a YAML file"
    ):
        load_rules(missing)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("default: a\n# é\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml, line 2: byte 0xe9 is not UTF-8; save the file as UTF-8"):
        load_rules(latin)


def test_error_names_the_file_it_was_read_from(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("default: a\nruels: []\n")
    with pytest.raises(ConfigError) as caught:
        load_rules(file)
    assert str(caught.value).startswith(f"{file}, line 2: ")


def test_a_rule_refuses_gives_tags_or_a_priority_with_or_without_a_model():
    rules = parse_rules("""
        default: local
        rules:
          - {match: {user_id: guest}, reject: Guests have no model here.}
          - {match: {purpose: main}, model: cloud, tags: [eu, paid], priority: 0}
          - {match: {purpose: "title*"}, priority: 255}
        """)

    def chosen(**fields):
        return rules.choose(Record(**fields), model="asked", api=None)

    assert (chosen(user_id="guest").reject, chosen(user_id="guest").rule_name) == (
        "Guests have no model here.",
        "rule 1",
    )
    main = chosen(purpose="main")
    assert (main.model, main.tags, main.priority, main.reject) == ("cloud", ("eu", "paid"), 0, None)
    title = chosen(purpose="title_generation")
    assert (title.model, title.tags, title.priority) == ("local", (), 255)
    assert rules.models == ("local", "cloud")


def test_without_a_default_the_model_asked_for_serves(tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n  - {match: {user_id: u}, model: b}\n  - {match: {user_id: v}, priority: 1}\n")
    rules = load_rules(file, needs_default=False)
    assert [rules.choose(Record(user_id=user), model="asked", api=None).model for user in "uvw"] == [
        *("b", "asked", "asked")
    ]
    assert rules.models == ("b",)
    assert mistake("", needs_default=False).endswith("it needs at least 'rules: []'")


RULE = "default: a\nrules:\n  - match: {user_id: u}\n    model: b\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "is empty; it needs at least 'default: <model>'"),
        ("# nothing\n", 1, "is empty"),
        ("- a\n", 1, "the rule file is a list; it must be a mapping of default"),
        ("rules: []\n", 1, "'default' is missing; add 'default: <model>'"),
        ("default: a\nruels: []\n", 2, "no field 'ruels'; did you mean 'rules'? (given a list)"),
        ("default: a\ndefault: b\n", 2, "default is given twice, first on line 1; keep one"),
        ("default:\n", 1, "default is empty; write a text"),
        ("default: ~\n", 1, "default is ~; write a text"),
        ("default: [a]\n", 1, "default is a list; write a text"),
        ("default: 4\n", 1, "default is 4, which YAML does not read as text; put it into quotes"),
        ("default: !cloud large\n", 1, "YAML takes '!cloud' for a tag of its own; put the text into quotes"),
        ("default: a\nrules: b\n", 2, "rules is 'b'; write a list, each rule beginning with '- '"),
        ("default: a\nrules:\n", 2, "rules is ''; write a list"),
        ("default: a\nrules:\n  - b\n", 3, "rule 1 is 'b'; it must be a mapping of name"),
        ("default: a\nrules:\n  - model: b\n", 3, "rule 1 has no 'match'; add 'match: …' (fields and values)"),
        ("default: a\nrules:\n  - match: {user_id: u}\n", 3, "rule 1 has no 'model'; add 'model: …'"),
        (RULE + "    modle: c\n", 5, "rule 1 has no field 'modle'; did you mean 'model'? (given 'c')"),
        (RULE + "    model: c\n", 5, "rule 1: model is given twice, first on line 4"),
        (RULE + "    name: default\n", 5, "name 'default' is taken by the default, whose name it is; choose another"),
        (RULE + "    name: yes\n", 5, "rule 1: name is yes, which YAML does not read as text; put it into quotes"),
        (RULE + "  - match: {user_id: v}\n    model: c\n    name: rule 1\n", 7, "name 'rule 1' is taken by line 3"),
        ("default: a\nrules:\n  - match: {}\n    model: b\n", 3, "match is empty; name a field, or use 'default'"),
        ("default: a\nrules:\n  - match: u\n    model: b\n", 3, "match is 'u'; it must be a mapping of fields"),
        (RULE + "    tags: eu\n", 5, "rule 1: tags is 'eu'; write a list of texts, such as [eu, background]"),
        (RULE + "    tags: []\n", 5, "rule 1: tags is a list; write a list of texts"),
        (RULE + "    tags: [eu, 5]\n", 5, "rule 1: tags is 5, which YAML does not read as text"),
        (
            RULE + "    priority: high\n",
            5,
            "rule 1: priority is 'high'; write a whole number from 0 (served first) to 255",
        ),
        (RULE + "    priority: 256\n", 5, "rule 1: priority is '256'; write a whole number from 0"),
        (RULE + "    priority: -1\n", 5, "rule 1: priority is '-1'; write a whole number from 0"),
        (RULE + "    priority: '1'\n", 5, "rule 1: priority is '1'; write a whole number from 0"),
        (RULE + "    reject: no\n", 5, "rule 1 rejects, so 'model' has no effect; keep one of the two"),
        (
            "default: a\nrules:\n  - match: {user_id: u}\n    reject: yes\n",
            4,
            "reject is yes, which YAML does not read",
        ),
    ],
)
def test_mistakes_in_the_file(text, line, said):
    message = mistake(text)
    assert message.startswith(f"rules.yaml, line {line}: ")
    assert said in message


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("user_itent: x", "has no field 'user_itent'; did you mean 'user_intent'? (given 'x')"),
        ("v: 1", "has no field 'v'"),
        ("ext: {acme.region: eu}", "'ext' is no extension field; write ext.<vendor.key>, such as ext.acme.region"),
        ("ext.region: eu", "'ext.region' is no extension field; write ext.<vendor.key>"),
        ("[a, b]: eu", "has no field 'a list'"),
        ("user_id:", "match: user_id is empty; write {present: false} for an absent field"),
        ("user_id: ''", "match: user_id is empty; write {present: false} for an absent field"),
        ("user_id: null", "match: user_id is null; write {present: false}"),
        ("chat_id: #ops", "put text into quotes that begins with one of"),
        ("chat_id: !ops:example.org", "YAML takes '!ops:example.org' for a tag of its own; put the text into quotes"),
        ("user_id: []", "match: user_id is an empty list, which never matches; list values, or leave the key out"),
        ("user_id: [[a]]", "match: user_id is a list; write a text"),
        ("user_id: {absent: true}", "match: user_id has no field 'absent'; did you mean 'present'? (given 'true')"),
        ("user_id: {}", "match: user_id: present is {}; write {present: true} or {present: false}"),
        ("user_id: {present: maybe}", "present is 'maybe'; write {present: true} or {present: false}"),
        ("ext.acme.beta: yes", "ext.acme.beta is yes; write true or false, or put it into quotes if it is text"),
        ("ext.acme.beta: True", "ext.acme.beta is True; write true or false"),
        ("priority: urgent", "priority is 'urgent', which never matches; it is one of low, normal, high"),
        ("api: chat", "api is 'chat', which never matches; it is one of chat.completions, completions, responses"),
        ("call: first", "call is 'first', which never matches; it is a whole number from 1"),
        ("call: 0", "call is '0', which never matches"),
    ],
)
def test_mistakes_in_a_condition(condition, said):
    message = mistake(f"default: a\nrules:\n  - model: b\n    match:\n      platform: matrix\n      {condition}\n")
    assert message.startswith("rules.yaml, line 6: ")
    assert said in message


def test_a_field_given_twice_in_one_rule():
    message = mistake("default: a\nrules:\n  - model: b\n    match:\n      user_id: u\n      user_id: v\n")
    assert message == "rules.yaml, line 6: rule 1: match: user_id is given twice, first on line 5; keep one of the two"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("default: a\nrules:\n  - match: {user_id: @alice}\n", 3),
        ("default: a\nrules:\n  - match:\n      user_id: *:example.org\n", 4),
        ("default: a\n\trules: []\n", 2),
        ("default: [a\n", 2),
        ("default: a\n---\ndefault: b\n", 2),
        ("default: *nowhere\n", 1),
    ],
)
def test_text_that_is_not_yaml_is_shown_with_its_remedy(text, line):
    message = mistake(text)
    assert message.startswith(f"rules.yaml, line {line}: this is not YAML: ")
    assert "put text into quotes that begins with one of @" in message


def test_characters_and_depths_that_yaml_does_not_take():
    assert mistake("default: a\n# \x07\n").startswith(
        "rules.yaml, line 2: the character '\\x07' is not allowed in YAML"
    )
    assert "is nested far too deeply" in mistake("default: " + "[" * 2000)


@given(st.text(max_size=60))
def test_no_text_is_worse_than_a_config_error_with_a_line(text):
    said = None
    try:
        parse_rules(text)
    except ConfigError as error:
        said = str(error)
    assert said is None or re.match(r"rules, line \d+: ", said)
