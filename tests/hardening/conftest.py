"""Tests of the release build, which nothing instruments; what those of tests/interop stand on
serves here too."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))

from fixtures import *  # noqa: E402,F403  pytest looks for them here
