"""What an operator of Hermes writes about the way in."""

from __future__ import annotations

import pytest

from hermes_hints import ConfigError
from hermes_hints.hermes.configuration import load_settings


def settings_of(**settings):
    return load_settings({"plugins": {"entries": {"hermes-hints": {"settings": settings}}}})


def test_it_is_off_unless_it_is_switched_on():
    assert (settings_of().inbound, settings_of(inbound=True).inbound) == (False, True)


def test_further_headers_are_kept_as_they_are_written():
    mapped = {"X-OpenWebUI-User-Id": "user_id"}

    assert settings_of(inbound=True, inbound_headers=mapped).inbound_headers == mapped


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inbound": "perhaps"}, "inbound"),
        ({"inbound_headers": {"X-User": "user"}}, "X-User cannot fill 'user'; did you mean 'user_id'?"),
        ({"inbound_headers": {"Authorization": "user_id"}}, "'Authorization' cannot name anybody"),
    ],
)
def test_an_operators_mistake_names_its_place(settings, message):
    with pytest.raises(ConfigError) as caught:
        settings_of(**settings)
    assert "plugins.entries.hermes-hints.settings.inbound" in str(caught.value)
    assert message in str(caught.value)
