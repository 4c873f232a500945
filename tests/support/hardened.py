#!/usr/bin/env python3
"""hardened.py BUILD: whether the server in this build directory is what cmake/hardening.cmake asks
for, as the binary itself and the commands that made it say. Prints what is missing."""

import json
import pathlib
import re
import subprocess
import sys


def readelf(binary, *options):
    return subprocess.run(["readelf", "--wide", *options, binary], capture_output=True, text=True,
                          check=True).stdout


def missing_in(binary):
    dynamic = readelf(binary, "--dynamic")
    segments = readelf(binary, "--program-headers")
    symbols = readelf(binary, "--dyn-syms")
    stack = re.search(r"GNU_STACK .* (R[W ][E ])", segments)
    return [what for what, found in {
        "position-independent executable": "Flags:" in dynamic and " PIE" in dynamic,
        "addresses of functions resolved at the start (-z now)": re.search(r"FLAGS.* NOW", dynamic),
        "and read-only then (-z relro)": "GNU_RELRO" in segments,
        "stack that is not run": stack and "E" not in stack.group(1),
        "no segment that is written and run": not re.search(r"LOAD .* RWE ", segments),
        "stack protector": "__stack_chk_fail" in symbols,
        "_FORTIFY_SOURCE": re.search(r" __(?:mem|str|vsn?printf|read|recv)\w*_chk", symbols),
        "_GLIBCXX_ASSERTIONS": "__glibcxx_assert_fail" in symbols,
    }.items() if not found]


# What leaves no sure trace in a binary.
FLAGS = ["-fstack-clash-protection", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=3",
         "-D_GLIBCXX_ASSERTIONS", "-fPIE"]


def missing_in_commands(build):
    ours = re.compile(r"/(?:protocol|config|server)/CMakeFiles/")
    commands = [entry["command"] for entry in json.loads((build / "compile_commands.json").read_text())
                if ours.search("/" + entry.get("output", entry["command"]))]
    if not commands:
        return ["a command that compiles the server"]
    return [flag for flag in FLAGS
            if not all(re.search(rf"(?:^| ){re.escape(flag)}(?: |$)", command) for command in commands)]


def main():
    build = pathlib.Path(sys.argv[1])
    missing = missing_in(build / "server" / "yuelao") + missing_in_commands(build)
    for what in missing:
        print(f"{build}: not there: {what}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
