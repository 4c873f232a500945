import subprocess

import pytest

import conformance
from sandbox import Sandbox


def pytest_terminal_summary(terminalreporter):
    """What is done of each standard, at the end of every run that looks at the documentation."""
    page = conformance.Page(conformance.PAGE.read_text(encoding="utf-8"))
    terminalreporter.section("docs/conformance.md")
    terminalreporter.write(page.summary())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for turn.example.org and its key, as text."""
    directory = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", directory / "key", "-out", directory / "pem", "-days", "30", "-subj",
         "/CN=turn.example.org", "-addext", "subjectAltName=DNS:turn.example.org"],
        check=True, capture_output=True)
    return (directory / "pem").read_text(), (directory / "key").read_text()


@pytest.fixture
def sandbox(tmp_path, certificate):
    return Sandbox(tmp_path, certificate)
