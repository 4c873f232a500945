"""What cmake/hardening.cmake asks for, as the binary says and the commands that made it."""

import json
import os
import pathlib
import re
import subprocess

import pytest

BINARY = pathlib.Path(os.environ["YUELAO"])
BUILD = BINARY.parent.parent

# What leaves no sure trace in a binary.
FLAGS = ["-fstack-clash-protection", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=3",
         "-D_GLIBCXX_ASSERTIONS", "-fPIE"]


def readelf(*options):
    return subprocess.run(["readelf", "--wide", *options, BINARY], capture_output=True, text=True,
                          check=True).stdout


def test_its_place_in_memory_cannot_be_foreseen():
    assert re.search(r"\(FLAGS_1\) .*\bPIE\b", readelf("--dynamic"))


def test_what_calls_go_through_is_read_only():
    assert re.search(r"\(FLAGS_1\) .*\bNOW\b", readelf("--dynamic"))
    assert "GNU_RELRO" in readelf("--program-headers")


def test_nothing_is_written_and_run():
    segments = readelf("--program-headers")
    assert re.search(r"GNU_STACK .* RW  ", segments)
    assert not re.search(r" RWE ", segments)


@pytest.mark.parametrize("symbol", ["__stack_chk_fail", r"__\w+_chk\b", "__glibcxx_assert_fail"])
def test_it_looks_where_it_writes(symbol):
    assert re.search(symbol, readelf("--dyn-syms"))


@pytest.mark.parametrize("flag", FLAGS)
def test_all_of_it_was_compiled_so(flag):
    commands = [entry["command"] for entry in json.loads((BUILD / "compile_commands.json").read_text())
                if re.search(r"(?:protocol|config|server)/.*CMakeFiles/", entry["command"])]
    assert len(commands) > 10
    assert [command for command in commands if flag not in command.split()] == []
