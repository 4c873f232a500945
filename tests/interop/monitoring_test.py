"""What an operator's Prometheus makes of the server."""

import json
import pathlib
import re
import socket
import subprocess

import pytest

import http_client
from network import LOOPBACK, bracketed
from turn_client import TurnClient
from yuelao import PATIENCE, settings

ROOT = pathlib.Path(__file__).resolve().parents[2]


def promtool(*argv, text=None):
    done = subprocess.run(["promtool", *map(str, argv)], input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def families(text):
    return set(re.findall(r"^# TYPE (\S+)", text, re.M))


def test_promtools_linter_finds_nothing_in_the_metrics(yuelao):
    status, text = yuelao.http("/metrics")
    assert status == 200
    assert promtool("check", "metrics", text=text) == (0, "")
    status, _ = promtool("check", "metrics", text="# TYPE calls counter\ncalls 1\n")
    assert status != 0


def test_every_metric_is_documented_and_every_documented_metric_exists(yuelao):
    _, text = yuelao.http("/metrics")
    documented = set(re.findall(r"`((?:yuelao|process)_\w+)`",
                                (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")))
    assert families(text) == documented


@pytest.mark.parametrize("family", [4, 6])
def test_metrics_and_health_show_no_client(network, serve, family):
    server = serve(settings(metrics=f"{bracketed(LOOPBACK[family])}:9641"))
    with TurnClient(network.client, family=family) as client:
        client.allocate()
        for path in ("/metrics", "/healthz", "/readyz", "/"):
            asked = http_client.Connection(network.server, LOOPBACK[family], 9641)
            status, _, text = http_client.ask(asked, path)
            assert status == 200 and text, path
            server.check_privacy(text)
        client.refresh(0)


class Prometheus:
    """Debian's, in the server's namespace; it says by remote write that a scrape is stored."""

    PORT, STORED_PORT = 9090, 9099

    def __init__(self, namespace, directory):
        self.namespace = namespace
        self._stored = namespace.socket(socket.SOCK_STREAM, address="127.0.0.1",
                                        port=self.STORED_PORT)
        self._stored.listen()
        self._stored.settimeout(PATIENCE)
        configuration = (ROOT / "docs/prometheus.yaml").read_text(encoding="utf-8")
        assert "scrape_interval: 15s" in configuration
        file = directory / "prometheus.yaml"
        file.write_text(
            configuration.replace("scrape_interval: 15s",
                                  "scrape_interval: 1s\n    scrape_timeout: 1s")
            .replace("[alerts.yaml]", f"[{ROOT / 'docs/alerts.yaml'}]")
            + f"remote_write:\n  - url: http://127.0.0.1:{self.STORED_PORT}/\n"
              "    metadata_config: {send: false}\n")
        self.process = subprocess.Popen(
            namespace.command("prometheus", f"--config.file={file}",
                              f"--storage.tsdb.path={directory / 'data'}",
                              f"--web.listen-address=127.0.0.1:{self.PORT}"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait_for_a_scrape(self):
        self._stored.accept()[0].close()

    def query(self, expression):
        """The values of an instant query."""
        with self.namespace.socket(socket.SOCK_STREAM) as connection:
            connection.connect(("127.0.0.1", self.PORT))
            connection.sendall(f"GET /api/v1/query?query={expression} HTTP/1.0\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        result = json.loads(answer.partition("\r\n\r\n")[2])["data"]["result"]
        return [float(series["value"][1]) for series in result]

    def stop(self):
        self.process.kill()  # asked to end, it would first try to deliver what it wrote
        self.process.wait(PATIENCE)
        self._stored.close()


@pytest.fixture
def prometheus(network, tmp_path):
    started = []

    def start():
        started.append(Prometheus(network.server, tmp_path))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_prometheus_scrapes_the_server_with_the_documented_configuration(network, yuelao,
                                                                         prometheus):
    with TurnClient(network.client) as client:
        client.allocate()
        server = prometheus()
        server.wait_for_a_scrape()
        assert server.query("up") == [1]
        assert server.query("yuelao_sessions") == [1]
        assert server.query("yuelao_round_duration_seconds_count")[0] > 0
        client.refresh(0)


def test_promtool_accepts_the_documented_configuration():
    status, text = promtool("check", "config", ROOT / "docs/prometheus.yaml")
    assert status == 0, text


def test_the_alerts_fire_when_they_should_and_only_then(tmp_path):
    scenarios = ROOT / "tests/interop/alerts_scenarios.yaml"
    status, text = promtool("test", "rules", scenarios)
    assert status == 0, text

    rules = (ROOT / "docs/alerts.yaml").read_text(encoding="utf-8")
    for honest, wrong in [("== 0", "== 2"), ("< 14 *", "< 1 *"), ("486|508", "487"), ("> 10", "> 99")]:
        assert honest in rules
        (tmp_path / "alerts.yaml").write_text(rules.replace(honest, wrong))
        (tmp_path / "scenarios.yaml").write_text(
            scenarios.read_text(encoding="utf-8").replace("../../docs/alerts.yaml", "alerts.yaml"))
        assert promtool("test", "rules", tmp_path / "scenarios.yaml")[0] != 0, wrong
