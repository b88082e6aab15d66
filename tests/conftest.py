"""Settings of the whole suite: Hypothesis draws the same examples in every run on a server, new ones elsewhere."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: a machine that is busy with something else is not a fault of the code under test.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("local", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
