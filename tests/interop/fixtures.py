import os
import shutil

import pytest

from certificates import Authority
from network import Network
from yuelao import Yuelao, settings


@pytest.fixture(scope="session")
def network():
    if os.geteuid() != 0:
        pytest.fail("these tests make network namespaces: run them as root")
    made = Network()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("good")


@pytest.fixture
def launch(network, tmp_path):
    """launch(configuration, ...) -> Yuelao that may fail to start; ended by the test."""
    started = []

    def start(configuration=None, **options):
        directory = tmp_path / str(len(started))
        directory.mkdir()
        started.append(Yuelao(network.server, directory,
                              settings() if configuration is None else configuration, **options))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
            server.wait()


@pytest.fixture
def serve(launch):
    """serve(configuration, ...) -> Yuelao that is ready; its end is checked."""
    running = []

    def start(configuration=None, **options):
        server = launch(configuration, **options)
        server.wait_for_news("READY=1")
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def yuelao(serve, certificate):
    """The server as most tests want it: UDP, TCP and TLS, both families."""
    return serve(settings(tls=certificate))


@pytest.fixture(scope="session")
def build_directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("clients")
    yield path
    shutil.rmtree(path)
