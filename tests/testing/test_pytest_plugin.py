"""The fixtures, and what the conformance suite is told, in a pytest of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sample_plugins import GOOD

pytest_plugins = ["pytester"]
PLUGIN = "hermes_hints.testing.pytest_plugin"


@pytest.fixture
def run(pytester):
    """Run pytest as an author does, in a folder with these files."""

    def run(*arguments, **files):
        if files:
            pytester.makepyfile(**files)
        return pytester.runpytest_inprocess("-p", PLUGIN, "-p", "no:cacheprovider", *arguments)

    return run


def test_hints_bench_and_hints_upstream(run):
    result = run(
        ops_first=GOOD,
        test_ops_first="""
            import openai
            import hermes_hints

            def test_hints(hints_bench):
                bench = hints_bench("ops_first.py", settings={"rooms": ["!lab"]})
                assert bench.hints("hello", chat_id="!lab")["priority"] == "high"
                assert hints_bench("ops_first.py").hints("hello", chat_id="!lab") == {}

            def test_a_mistake(hints_bench):
                bench = hints_bench("ops_first.py", settings={"room": []})
                bench.hints("hello")

            def test_the_wire(hints_upstream):
                hermes_hints.register(__import__("ops_first"))
                with openai.OpenAI(base_url=hints_upstream.base_url, api_key="k") as client:
                    with hermes_hints.identify(chat_id="!ops:example.org"):
                        client = hermes_hints.wrap(client, settings={"budget_ms": 1000})
                        client.embeddings.create(model="m", input="hi", encoding_format="float")
                assert hints_upstream.last.record.priority == "high"
        """,
    )

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["*HintPluginError: the hint plugin ops_first is failed: *no setting 'room'; use rooms*"]
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (),
            "which plugin? Give --hint-plugin: a file, a folder, a module, module:attribute, or the name of an entry point",
        ),
        (("--hint-plugin", "a.py", "--hint-settings", "{a: 1}"), "--hint-settings: '{a: 1}' is not JSON"),
        (("--hint-plugin", "a.py", "--hint-settings", "[1]"), "--hint-settings: '[1]' is no object; write one"),
    ],
)
def test_what_is_missing_on_the_command_line_is_said(run, arguments, said):
    result = run("--pyargs", "hermes_hints.testing.conformance", *arguments)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert said in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_loading_it_imports_neither_openai_nor_what_costs_time():
    code = f"import sys\nbefore = set(sys.modules)\nimport {PLUGIN}\nprint(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    names = {name for name in loaded.split() if name.startswith("hermes_hints")}

    assert names == {"hermes_hints", "hermes_hints.testing", PLUGIN}
    assert not {"openai", "httpx", "pydantic", "asyncio", "socketserver"} & set(loaded.split())
