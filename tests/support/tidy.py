"""Runs clang-tidy over the project's own sources: tidy.py CLANG-TIDY BUILD-DIRECTORY RESULT-FILE

Most of the time goes into headers, so the sources that one build compiles together (CMake's
unity build) are looked at together. They are put behind each other rather than included:
the analyzer looks at nothing but the main file. Prints the findings, and writes a line
"pass FILE" or "fail FILE" for each source.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

# GCC's own warning options mean nothing to clang, and doctest's __COUNTER__ is an extension to
# those that call it C2y. The analyzer looks into a function and not through all that it calls:
# Asio's and the library's take it three times as long as everything else, and the sanitizers
# see what really happens there.
OPTIONS = ["--quiet", "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-c2y-extensions",
           "--extra-arg=-Xclang", "--extra-arg=-analyzer-config",
           "--extra-arg=-Xclang", "--extra-arg=mode=shallow"]
ROOT = pathlib.Path.cwd()
# These are Boost's sources in files of ours.
BOOSTS = {ROOT / "server/asio_impl.cpp", ROOT / "server/url_impl.cpp"}
# What makes clang-tidy forget which headers it has seen, as it has to between two sources.
NEXT_SOURCE = "#define NEXT_SOURCE\n#undef NEXT_SOURCE\n"
NOISE = re.compile(r"\d+ warnings? |Suppressed |Use -header-filter")


class Unit:
    """Sources that are looked at together, in a file of their own if there are several: below
    the project's root, whose .clang-tidy holds for them."""

    def __init__(self, sources, directory):
        self.sources = sources
        self.file = sources[0]
        self.ends = []  # the line after each source, in the unit's file
        if len(sources) == 1:
            return
        text = ""
        for source in sources:
            text += NEXT_SOURCE + source.read_text(encoding="utf-8")
            self.ends.append(text.count("\n") + 1)
        self.file = directory / (sources[0].relative_to(ROOT).as_posix().replace("/", "-"))
        self.file.write_text(text, encoding="utf-8")

    def at_home(self, match):
        """FILE:LINE of the unit's file as that of the source."""
        line = int(match[1])
        begin = 1
        for source, end in zip(self.sources, self.ends):
            if line < end:
                return f"{source}:{line - begin - NEXT_SOURCE.count(chr(10)) + 1}"
            begin = end
        return match[0]

    def check(self, command):
        done = subprocess.run([*command, str(self.file)], capture_output=True, text=True, check=False)
        lines = [line for line in (done.stdout + done.stderr).splitlines() if not NOISE.match(line)]
        findings = "\n".join(lines)
        if self.ends:
            findings = re.sub(rf"{re.escape(str(self.file))}:(\d+)", self.at_home, findings)
        failed = []
        if done.returncode != 0:
            # A finding in a header may be any source's.
            failed = [source for source in self.sources if f"{source}:" in findings] or self.sources
        return findings, failed


def units(database, directory):
    """The build's sources as Units, and the commands to compile them with."""
    directory.mkdir(exist_ok=True)
    for path in directory.iterdir():
        path.unlink()
    made, seen, commands = [], set(), []
    for entry in database:
        file = pathlib.Path(entry["file"])
        sources = [file]
        if "Unity" in file.parts:
            sources = [pathlib.Path(path) for path in
                       re.findall(r'^#include "(.*)"', file.read_text(encoding="utf-8"), re.MULTILINE)]
        sources = [source for source in sources
                   if source.suffix == ".cpp" and source not in BOOSTS and source not in seen
                   and ROOT / "build" not in source.parents]
        if not sources:
            continue
        seen.update(sources)
        unit = Unit(sources, directory)
        made.append(unit)
        commands.append({"directory": entry["directory"], "file": str(unit.file),
                         "command": entry["command"].replace(str(file), str(unit.file))})
    (directory / "compile_commands.json").write_text(json.dumps(commands), encoding="utf-8")
    # The longest first: a slow one that starts last keeps one core waiting.
    return sorted(made, key=lambda unit: (unit.sources[0].relative_to(ROOT).parts[0] != "server",
                                          -unit.file.stat().st_size))


def main():
    clang_tidy, build, result = sys.argv[1], ROOT / sys.argv[2], pathlib.Path(sys.argv[3])
    directory = build / "tidy-units"
    database = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    command = [clang_tidy, *OPTIONS, "-p", str(directory)]
    jobs = len(os.sched_getaffinity(0))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool, result.open("w", encoding="utf-8") as out:
        work = units(database, directory)
        for unit, (findings, failed) in zip(work, pool.map(lambda unit: unit.check(command), work)):
            if failed:
                print(findings, flush=True)
            for source in unit.sources:
                print("fail" if source in failed else "pass", source.relative_to(ROOT), file=out)


if __name__ == "__main__":
    main()
