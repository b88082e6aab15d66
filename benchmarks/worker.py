"""One engine in one process: ``python -m benchmarks.worker TASK ENGINE SETTING SIZE...``, started by ``processes``.

Reads commands and answers each with one line of JSON. The first answer says that the engine is ready, or why it is not;
then every line that comes runs the workload once.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

__all__ = ["main"]


def main(task: str, engine: str, setting: str, *sizes: str) -> None:
    """Serve runs of ``task`` on ``engine``, both modules of this package, until the input ends."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what an engine prints is no answer

    def answer(**fields: Any) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    run: Callable[[], dict[str, Any]]
    try:
        loaded = importlib.import_module(f"benchmarks.{engine}").load() if engine else None
        run = importlib.import_module(f"benchmarks.{task}").prepare(loaded, setting, *map(int, sizes))
    except ImportError as error:
        answer(missing=str(error))
        return
    except Exception:
        answer(failed=traceback.format_exc())
        return
    answer(version=loaded.version if loaded else "")
    for _ in sys.stdin:
        try:
            result = run()
        except Exception:
            answer(failed=traceback.format_exc())
            return
        answer(**result)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # the parent says that it was interrupted
        main(*sys.argv[1:])
