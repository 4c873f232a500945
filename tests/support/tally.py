"""Counts what a stage's tools reported. Prints 'PASSED FAILED', then a line per failure.

A skipped test counts as failed: it showed nothing.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

DOCTEST = re.compile(
    r"\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped")
NODE = re.compile(r"^# (pass|fail|cancelled|skipped|todo) (\d+)$", re.MULTILINE)


def ctest(path):
    """A doctest binary counts its cases, any other test counts once."""
    passed, failures = 0, []
    for test in ElementTree.parse(path).getroot().iter("testcase"):
        name = test.get("name")
        ran = test.get("status") == "run"
        summary = DOCTEST.search(test.findtext("system-out") or "")
        if not summary:
            passed += ran
            failures += [] if ran else [f"{name}: {test.get('status')}"]
            continue
        cases, failed, skipped = map(int, summary.groups())
        passed += cases
        failures += [f"{name}: a test case failed"] * failed
        failures += [f"{name}: a test case was skipped"] * skipped
        # Died after its last case: a sanitizer's report, or a crash while ending.
        if not ran and not failed:
            failures.append(f"{name}: {test.get('status')} after its test cases")
    return passed, failures


def pytest(path):
    passed, failures = 0, []
    for test in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{test.get('classname')}.{test.get('name')}"
        problems = [kind for kind in ("failure", "error", "skipped") if test.find(kind) is not None]
        passed += not problems
        failures += [f"{name}: {kind}" for kind in problems]
    return passed, failures


def node(path):
    with open(path, encoding="utf-8") as report:
        text = report.read()
    counts = {kind: int(number) for kind, number in NODE.findall(text)}
    failures = re.findall(r"^\s*not ok \d+ - (.*)$", text, re.MULTILINE)
    bad = sum(counts.get(kind, 0) for kind in ("fail", "cancelled", "skipped", "todo"))
    # A suite is "not ok" too when one of its tests is: the counts decide.
    return counts.get("pass", 0), (failures + ["cancelled, skipped or to do"] * bad)[:bad] if bad else []


def main():
    kind, path = sys.argv[1:]
    try:
        passed, failures = {"ctest": ctest, "pytest": pytest, "node": node}[kind](path)
    except (OSError, ElementTree.ParseError) as problem:
        passed, failures = 0, [f"no report: {problem}"]
    if passed == 0 and not failures:
        failures = ["no test ran"]
    print(passed, len(failures))
    print(*failures, sep="\n")


if __name__ == "__main__":
    main()
