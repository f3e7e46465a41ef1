"""What a release says of itself is said once, and agrees wherever it must be said again."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
CHANGELOG = (CHECKOUT / "CHANGELOG.md").read_text("utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_folder_for_hermes_has_the_version_of_the_package():
    manifest = yaml.safe_load((CHECKOUT / "plugins" / "hermes-hints" / "plugin.yaml").read_text("utf-8"))

    assert manifest["version"] == PROJECT["version"]


def test_the_changelog_is_kept_as_it_says():
    releases = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)

    assert releases[0] == "[Unreleased]"
    for release in releases[1:]:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", release)
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= KINDS


def test_every_declared_python_is_within_what_is_required():
    declared = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)

    assert PROJECT["requires-python"] == f">={declared[0]}"
    assert declared == sorted(declared, key=lambda version: int(version[2:]))


@pytest.mark.parametrize(
    "file", ["pyproject.toml", "devtools/pyproject.toml", "devtools/README.md", "README.md", "CHANGELOG.md", "Makefile"]
)
def test_what_is_published_names_no_place_of_a_machine(file):
    text = (CHECKOUT / file).read_text("utf-8")

    assert not re.search(r"file://|(?<![\w$.{}])/(?:home|root|tmp|work|Users|opt)/", text)


def test_both_distributions_have_the_same_license():
    assert (CHECKOUT / "devtools" / "LICENSE").read_text("utf-8") == (CHECKOUT / "LICENSE").read_text("utf-8")
