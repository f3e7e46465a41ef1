"""``list`` shows every hint plugin with where it comes from, its state and what went wrong."""

from __future__ import annotations

from hermes_hints import hookimpl, register
from hermes_hints.cli import main

QUIET = "@hookimpl\ndef contribute_hints(call):\n    return None\n"


def test_no_plugins(operator):
    told = operator.run("list")

    assert (told.status, told.output) == (0, "no hint plugins\n")
    assert operator.run("list", "--json").json == []


def test_every_plugin_with_its_state_and_a_failure_is_an_exit_status(operator):
    operator.plugin("quiet", QUIET)
    operator.plugin("broken", "import no_such_module\n")
    operator.plugin("unwanted", QUIET)
    operator.plugin("silenced", QUIET)
    enabled = ["hermes-hints", "quiet", "broken", "silenced"]
    operator.configure({"disabled_plugins": ["silenced"]}, plugins={"enabled": enabled})

    told = operator.run("list", "--json")

    assert told.status == 1
    assert {plugin["name"]: (plugin["state"], plugin["source"], plugin["hooks"]) for plugin in told.json} == {
        "quiet": ("loaded", "directory", ["contribute_hints"]),
        "broken": ("failed", "directory", []),
        "unwanted": ("disabled", "directory", []),
        "silenced": ("disabled", "directory", []),
    }
    (broken,) = [plugin for plugin in told.json if plugin["name"] == "broken"]
    assert "no_such_module" in broken["error"]
    assert broken["failures"] == 1
    assert broken["location"] == str(operator.home / "hints" / "broken.py")


def test_for_people_it_is_a_table_with_the_errors_below(operator):
    operator.plugin("quiet", QUIET)
    operator.plugin("broken", "1 / 0\n")
    operator.configure(plugins={"enabled": ["hermes-hints", "quiet", "broken"]})

    told = operator.run("list")

    assert told.status == 1
    lines = [" ".join(line.split()) for line in told.output.splitlines()]
    assert lines[0] == "plugin source state hooks failures location"
    assert f"quiet directory loaded contribute_hints 0 {operator.home}/hints/quiet.py" in lines
    assert lines[-1].startswith("broken: could not be loaded (ZeroDivisionError")
    assert told.errors == ""


def test_what_a_plugin_of_the_host_has_registered_is_listed(operator, capsys):
    class Ours:
        @staticmethod
        @hookimpl
        def contribute_hints():
            return {"cost_center": "42"}

    operator.configure()
    register(Ours, "ours")

    assert main(["list"]) == 0

    assert "ours" in capsys.readouterr().out


def test_settings_that_do_not_load_are_an_error(operator):
    operator.configure({"endpoint": []})

    told = operator.run("list")

    assert told.status == 2
    assert "did you mean 'endpoints'?" in told.errors
