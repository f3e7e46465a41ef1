from __future__ import annotations

import datetime as dt
import sys
import time
import zoneinfo
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[1]
NIGHT = {"from": "22:00", "to": "06:00", "priority": "low"}
MONDAY = "2026-11-23T"
SATURDAY = "2026-11-21T"


@pytest.fixture
def load(hints_bench):
    """Put the plugin on a bench with these settings."""
    return lambda **settings: hints_bench(PLUGIN, settings=settings)


def refusal(bench):
    """In which words it refuses its settings."""
    assert bench.state.state == "failed"
    return bench.state.error


@pytest.fixture
def priority(monkeypatch):
    """The priority of a call at a time in UTC."""

    def priority(bench, when, platform="matrix", purpose="main"):
        class Clock(dt.datetime):
            @classmethod
            def now(cls, tz=None):
                return dt.datetime.fromisoformat(when).replace(tzinfo=dt.UTC).astimezone(tz)

        module = sys.modules["hermes_hints_plugins.quiet_hours"]
        monkeypatch.setattr(module, "dt", type("dt", (), {"datetime": Clock}))
        return bench.hints(platform=platform, purpose=purpose).get("priority")

    return priority


@pytest.mark.parametrize(
    ("at", "expected"), [("21:59", None), ("22:00", "low"), ("23:59", "low"), ("00:00", "low"), ("06:00", None)]
)
def test_a_time_over_midnight(load, priority, at, expected):
    bench = load(timezone="UTC", rules=[NIGHT])

    assert priority(bench, MONDAY + at) == expected


def test_a_night_belongs_to_the_day_on_which_it_began(load, priority):
    bench = load(timezone="UTC", rules=[{**NIGHT, "days": ["sat"]}])

    assert priority(bench, SATURDAY + "23:00") == "low"
    assert priority(bench, "2026-11-22T05:00") == "low"
    assert priority(bench, "2026-11-22T23:00") is None
    assert priority(bench, SATURDAY + "05:00") is None


def test_the_time_is_that_of_the_timezone(load, priority):
    bench = load(timezone="Asia/Tokyo", rules=[NIGHT])

    assert priority(bench, MONDAY + "13:00") == "low"
    assert priority(bench, MONDAY + "23:00") is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-10-25T00:30", "low"),  # 02:30 in summer, and again an hour later in winter
        ("2026-10-25T01:30", "low"),
        ("2026-10-25T02:00", None),
        ("2026-03-29T00:59", None),  # 01:59; a minute later it is 03:00
        ("2026-03-29T01:00", None),
    ],
)
def test_when_clocks_change_what_hangs_on_the_wall_counts(load, priority, at, expected):
    bench = load(timezone="Europe/Berlin", rules=[{"from": "02:00", "to": "03:00", "priority": "low"}])

    assert priority(bench, at) == expected


@pytest.mark.parametrize(
    ("rule", "at", "expected"),
    [
        ({"from": "08:00", "to": "08:00", "days": ["mon"]}, "2026-11-24T07:59", "low"),
        ({"from": "08:00", "to": "08:00", "days": ["mon"]}, "2026-11-24T08:00", None),
        ({"from": "20:00", "to": "24:00"}, MONDAY + "23:59", "low"),
        ({"from": "20:00", "to": "00:00"}, MONDAY + "23:59", "low"),
        ({"from": "20:00", "to": "00:00"}, MONDAY + "00:00", None),
    ],
)
def test_times_that_end_when_they_begin_or_at_midnight(load, priority, rule, at, expected):
    assert priority(load(timezone="UTC", rules=[{**rule, "priority": "low"}]), at) == expected


def test_without_a_timezone_the_machines_own_counts(load, priority, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert priority(load(rules=[NIGHT]), MONDAY + "13:00") == "low"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_machine_without_time_zones_says_what_it_needs(load, monkeypatch):
    monkeypatch.setattr(zoneinfo, "available_timezones", set)

    assert "pip install tzdata" in refusal(load(timezone="Nowhere/Else"))


def test_the_first_rule_that_covers_a_call_counts(load, priority):
    bench = load(
        timezone="UTC",
        rules=[
            {"platforms": ["Cron"], "from": "8:00", "to": "18:00", "priority": "low"},
            {"purposes": ["title_generation"], "priority": "low"},
            {"platforms": ["matrix"], "priority": "high"},
        ],
    )

    assert priority(bench, MONDAY + "12:00", platform="cron") == "low"
    assert priority(bench, MONDAY + "20:00", platform="cron") is None
    assert priority(bench, MONDAY + "20:00") == "high"
    assert priority(bench, MONDAY + "20:00", purpose="title_generation") == "low"
    assert priority(bench, MONDAY + "20:00", platform=None, purpose=None) is None


def test_without_settings_jobs_on_a_schedule_can_wait(load, priority):
    bench = load()

    assert priority(bench, MONDAY + "12:00", platform="cron") == "low"
    assert priority(bench, MONDAY + "12:00") is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"zone": "UTC"}, "there is no setting 'zone'; use timezone and rules"),
        ({"timezone": "Mars/Base"}, "timezone is 'Mars/Base'; give a name such as Europe/Berlin"),
        ({"timezone": 1}, "timezone is 1"),
        ({"timezone": "../etc"}, "timezone is '../etc'"),
        ({"rules": {}}, "rules is {}; give a list"),
        ({"rules": ["low"]}, "rules is ['low']; give a list"),
        ({"rules": [{}]}, "the priority of a rule is None; use one of low, normal, high"),
        ({"rules": [{**NIGHT, "day": ["sat"]}]}, "there is no key 'day' in a rule"),
        ({"rules": [{**NIGHT, "days": ["samstag"]}]}, "there is no day 'samstag'; use mon, tue"),
        ({"rules": [{**NIGHT, "days": "sat"}]}, "days is 'sat'; give a list of texts"),
        ({"rules": [{**NIGHT, "from": 1320}]}, "from is 1320; give a time of day in quotes, such as '22:00'"),
        ({"rules": [{**NIGHT, "to": "24:30"}]}, "to is '24:30'"),
        ({"rules": [{**NIGHT, "from": "24:00"}]}, "from is '24:00'"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(load, settings, said):
    assert said in refusal(load(**settings))
