"""systemd/yuelao.service as systemd itself judges it."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "systemd" / "yuelao.service"


def verify(directory, text):
    """What systemd finds wrong with a unit. The program is one that every machine has."""
    unit = directory / "yuelao.service"
    unit.write_text(text.replace("ExecStart=yuelao ", "ExecStart=/bin/true "))
    return subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
                          capture_output=True, text=True, check=False)


def exposure(unit):
    """0 when the unit is exposed at most 1.5 of 10."""
    return subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", unit],
                          capture_output=True, text=True, check=False)


def test_systemd_understands_every_line(tmp_path):
    result = verify(tmp_path, UNIT.read_text())
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("line", ["ProtectHoem=yes", "ExecStartPre=/nowhere", "WatchdogSec=often"])
def test_a_line_that_systemd_ignores_is_found(tmp_path, line):
    result = verify(tmp_path, UNIT.read_text().replace("UMask=0077", line))
    assert result.stderr != "" or result.returncode != 0


def test_an_intruder_finds_little_to_use():
    result = exposure(UNIT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("lost", ["SystemCallFilter=~", "PrivateMounts", "RestrictNamespaces"])
def test_a_unit_that_is_a_bit_more_open_is_found(tmp_path, lost):
    lax = tmp_path / "yuelao.service"
    lines = UNIT.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(lost)]
    assert len(kept) == len(lines) - 1
    lax.write_text("".join(kept))
    assert exposure(lax).returncode != 0


@pytest.mark.parametrize("line", [
    "Type=notify", "DynamicUser=yes", "StateDirectory=yuelao", "Restart=on-failure", "LimitCORE=0",
    "AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
    "ExecReload=/bin/kill -HUP $MAINPID",
    "SystemCallFilter=seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self",
])
def test_what_the_documentation_promises_is_in_the_unit(line):
    assert line in UNIT.read_text().splitlines()


def test_installing_puts_each_file_where_systemd_or_a_person_looks(tmp_path):
    built = pathlib.Path(os.environ["YUELAO"]).parent.parent  # BUILD/server/yuelao
    subprocess.run(["cmake", "--install", built, "--prefix", tmp_path], check=True,
                   stdout=subprocess.DEVNULL)
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert installed == {"bin/yuelao", "lib/systemd/system/yuelao.service",
                         "lib/sysctl.d/60-yuelao-sysctl.conf", "share/doc/yuelao/yuelao.yaml"}
