"""What the tests of tests/interop stand on serves here too."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))

from fixtures import *  # noqa: E402,F403  pytest looks for them here
from process import Process  # noqa: E402


@pytest.fixture
def start(network):
    """start(argv, ready, ...) -> Process in the server's namespace; ended by the test."""
    running = []

    def started(argv, ready, **options):
        running.append(Process(network.server, argv, **options))
        running[-1].wait_for_line(ready)
        return running[-1]

    yield started
    for process in running:
        process.stop()
