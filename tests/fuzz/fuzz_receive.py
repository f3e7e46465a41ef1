"""Coverage-guided fuzzing of `hermes_hints.receive`, by atheris: ``make fuzz``, or with libFuzzer's own arguments.

``python tests/fuzz/fuzz_receive.py -runs=1000000 CORPUS`` begins with the small inputs of `receive_target.seeds`, keeps in
the folder ``CORPUS`` what reached something new, and stops at the first input that breaks the contract.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hermes_hints"]):
    import hermes_hints.receive  # noqa: F401 - before the target imports it without

import receive_target

from hermes_hints.wire import HEADERS, METADATA, SIGNATURE, WIRE_FIELDS


def main() -> None:
    """Run until the number of inputs that libFuzzer's arguments say."""
    with tempfile.TemporaryDirectory() as folder:
        begin = Path(folder, "seeds")
        begin.mkdir()
        for number, seed in enumerate(receive_target.seeds()):
            (begin / str(number)).write_bytes(seed)
        words = Path(folder, "words")
        names = (*WIRE_FIELDS, *(name for _, name in (*METADATA, *HEADERS)), SIGNATURE, "hermes", "hermes_ext_acme.a")
        words.write_text("".join(f'"{name}"\n' for name in names))
        # The last folder is the second one that is read; what is new goes to the first.
        atheris.Setup([*sys.argv, str(begin), f"-dict={words}", "-max_len=4096"], receive_target.check)
        atheris.Fuzz()


main()
