"""The README's way in, as a newcomer would follow it, on a Hermes that has never heard of hermes-hints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.environments import CHECKOUT, HERMES_0_19, PROJECT, environment
from harness.hermes_home import HermesHome
from harness.hermes_process import Hermes
from harness.replies import Reply
from harness.upstream import running_upstream

pytestmark = pytest.mark.e2e

ALICE = {
    "HERMES_SESSION_PLATFORM": "matrix",
    "HERMES_SESSION_CHAT_ID": "!ops:example.org",
    "HERMES_SESSION_USER_ID": "@alice:example.org",
}


def readme_install_block() -> str:
    return re.findall(r"^```sh\n(.*?)^```$", (CHECKOUT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)[1]


def directory_of_the_wheel(scratch: Path) -> Path:
    if PROJECT.is_file():
        return PROJECT.parent
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(scratch), str(CHECKOUT)]
    subprocess.run(build, check=True)
    return scratch


def test_two_commands_and_every_call_is_attributed(tmp_path: Path, shown: Callable[[str], None]) -> None:
    host = environment("hermes-0.19.0-hints", [HERMES_0_19], progress=shown)
    subprocess.run([host.python, "-m", "pip", "uninstall", "--quiet", "--yes", "hermes-hints"], check=True)
    with running_upstream(lambda _call: Reply("fine")) as upstream:
        hermes = Hermes(host.programs, HermesHome(upstream.base_url).write(tmp_path / "home"), ALICE)
        own = {"PATH": f"{host.programs}:{os.environ['PATH']}", "HERMES_HOME": str(hermes.home), "HOME": str(tmp_path)}
        found = f"{directory_of_the_wheel(tmp_path)} {os.environ.get('PIP_FIND_LINKS', '')}".strip()
        block = ["sh", "-e", "-c", readme_install_block()]
        subprocess.run(block, check=True, env={**os.environ, **own, "PIP_FIND_LINKS": found}, stdin=subprocess.DEVNULL)

        answer = hermes.ask("how are you?")

        assert answer == "fine"
        call = upstream.wait_for(lambda call: call.question.startswith("how are you?"))
        assert call.json["hermes"]["user_id"] == call.header("X-Hermes-User-Id") == "@alice:example.org"
        assert call.json["hermes"]["chat_id"] == call.json["metadata"]["hermes_chat_id"] == "!ops:example.org"
        assert call.json["hermes"]["purpose"] == "main"
