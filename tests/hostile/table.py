"""The report as a page of Markdown, and its place in docs/security.md."""

import os
import pathlib
import platform
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- report -->\n", "<!-- end of the report -->\n"


def cell(findings):
    """One server's figure, with a mark where it did not hold."""
    return " / ".join(f"{'✓' if each.held else '✗'} {each.figure}" for each in findings) or "–"


def verdict(findings):
    if not findings:
        return "–"
    failed = sum(not each.held for each in findings)
    return "**held**" if not failed else f"**{failed} of {len(findings)} not held**"


def rows(attack, results):
    """`results` are the findings by server."""
    tests = ", ".join(f"[{pathlib.PurePath(path).name or path}](../{path})" for path in attack.tests)
    yield (f"**{attack.number}** {attack.title}", f"*{attack.mechanism}*; {tests}",
           *map(verdict, results.values()))
    every = dict.fromkeys(each.what for findings in results.values() for each in findings)
    for what in every:
        yield ("", what, *(cell([each for each in findings if each.what == what])
                           for findings in results.values()))


def machine():
    system = "an unknown system"
    with open("/etc/os-release", encoding="utf-8") as release:
        system = re.search(r'^PRETTY_NAME="(.*)"', release.read(), re.MULTILINE).group(1)
    return (f"{system}, Linux {platform.release().split('-')[0]}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}")


def markdown(results, versions, how):
    """`results`: (attack, findings by server) each; `versions` by server."""
    lines = [f"{how} on {machine()}:", "", "| class | mechanism; what was tried | "
             + " | ".join(versions.values()) + " |", "|---" * (2 + len(versions)) + "|"]
    for attack, by_server in results:
        lines += ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |"
                  for row in rows(attack, by_server)]
    return "\n".join(lines) + "\n"


def write(text):
    """Renews the rows of the classes that are there; the others stay as they are."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    groups = _by_class(old) | _by_class(text)
    head = text[:text.index(f"| **{next(iter(_by_class(text)))}**")]
    body = "".join(groups[name] for name in sorted(groups, key=lambda name: int(name[1:])))
    PAGE.write_text(before + BEGIN + head + body + END + after, encoding="utf-8")


def _by_class(text):
    """The rows of each class, by its number."""
    starts = [*re.finditer(r"^\| \*\*(T\d+)\*\*", text, re.MULTILINE)]
    ends = [*(each.start() for each in starts[1:]), len(text)]
    return {each.group(1): text[each.start():end] for each, end in zip(starts, ends)}
