"""How a child process behind walls answers: one request a line of JSON on stdin, one answer a line on stdout.

What may be asked is each program's own business: the decoder's (`__main__`), and those of packages above that open
strangers' files of other kinds. The other side is `catalog.sandbox_process`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from labelhub.formats.decoder_child.walls import ChildLimits, grant_cpu, raise_walls

Options = Mapping[str, Any]


def answer_requests(arguments: Sequence[str], serve: Callable[[Mapping[str, Any], Options], Mapping[str, Any]]) -> None:
    """Put up the walls around this process and answer with what ``serve(request, options)`` says, until the input ends.

    ``arguments`` are the folder that may be written to and the options as JSON: the limits, and what else the program needs.
    An answer with ``is_worn`` is the last one (the parent then starts a fresh process). The program ends at the end of its
    input, so it cannot outlive its parent for long. Libraries are loaded before this is called.
    """
    folder, options = Path(arguments[0]), json.loads(arguments[1])
    answers = _private_stdout()
    limits = ChildLimits(options["memory_bytes"], options["cpu_s"], options["file_bytes"], options["open_files"])
    _answer(answers, {"missing_walls": raise_walls(limits, folder)})
    for line in sys.stdin:
        grant_cpu(limits.cpu_s)
        answer = serve(json.loads(line), options)
        _answer(answers, answer)
        if answer.get("is_worn"):
            return


def _private_stdout() -> TextIO:
    """A stream of our own for answers; what libraries print to stdout goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _answer(stream: TextIO, answer: Mapping[str, Any]) -> None:
    stream.write(json.dumps(answer, allow_nan=False) + "\n")
    stream.flush()
