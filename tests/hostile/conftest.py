"""The stage of a test run: one for all of its attacks."""

import os

import pytest

from stage import Stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.fail("these tests make network namespaces: run them as root")
    made = Stage(tmp_path_factory.mktemp("hostile"), quick=True)
    yield made
    made.close()
