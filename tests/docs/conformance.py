#!/usr/bin/python3
"""docs/conformance.md as the tests read it, and the rules that hold it to the truth.

As a program it prints the summary that the page begins with; with --write it renews it there.
"""

import collections
import dataclasses
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"
# Where the RFCs' texts are: rfc8489.txt, rfc8656.txt, ...
TEXTS = pathlib.Path(os.environ.get("RFC_TEXTS", ROOT.parent / "shared" / "rfc"))

# The words that give a text the right to a level; "says" is what it states in other words.
LEVELS = {
    "MUST": r"\b(MUST|REQUIRED|SHALL)\b",
    "MUST NOT": r"\b(MUST|SHALL)\s+NOT\b",
    "SHOULD": r"\b(SHOULD|RECOMMENDED)\b",
    "SHOULD NOT": r"\bSHOULD\s+NOT\b|\bNOT\s+RECOMMENDED\b",
    "MAY": r"\b(MAY|OPTIONAL)\b",
    "says": "",
}
STATUSES = ["done", "differs", "not yet", "n/a"]
SUMMARY_HEAD = "| document | rows | " + " | ".join(STATUSES) + " |"


@dataclasses.dataclass
class Row:
    document: str
    line: int
    section: str
    requirement: str
    level: str
    status: str
    reason: str
    proofs: list  # of (key, name of the test)

    def __str__(self):
        return f"line {self.line}, {self.document} §{self.section}"


def proofs_in(cell):
    """What stands before the first proof, and the proofs: `[turn/relay] name of the test<br>...`."""
    reason, *proofs = re.split(r"\[([\w/.-]+)\] ", cell)
    names = [re.sub(r"\s*<br>\s*$", "", name).strip() for name in proofs[1::2]]
    return re.sub(r"\s*<br>\s*$", "", reason).strip(), list(zip(proofs[0::2], names))


class Page:
    def __init__(self, text):
        self.text = text
        self.rows = []
        self.documents = {}  # by name: where its heading is
        self.misshapen = []
        # [key]: path of the test's file
        self.links = dict(re.findall(r"^\[([\w/.-]+)\]: \.\./(\S+)$", text, re.MULTILINE))
        for number, line in enumerate(text.splitlines(), 1):
            if heading := re.match(r"## (([^:]+): .*)", line):
                anchor = re.sub(r"[^\w -]", "", heading.group(1).lower()).replace(" ", "-")
                self.documents[heading.group(2)] = f"#{anchor}"
            elif self.documents and re.match(r"\| *[\dA-Z]", line):
                self._read(number, line)

    def _read(self, number, line):
        cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
        if len(cells) != 5:
            self.misshapen.append(f"line {number}: a row has five cells")
            return
        reason, proofs = proofs_in(cells[4])
        self.rows.append(Row(list(self.documents)[-1], number, *cells[:4], reason, proofs))

    def summary(self):
        lines = [SUMMARY_HEAD, "|---|" + "---:|" * (1 + len(STATUSES))]
        for name, anchor in self.documents.items():
            of_it = [row for row in self.rows if row.document == name]
            lines.append(summary_line(f"[{name}]({anchor})", of_it))
        lines.append(summary_line("all", self.rows))
        return "\n".join(lines) + "\n"


def summary_line(name, rows):
    counts = collections.Counter(row.status for row in rows)
    return "| " + " | ".join([name, str(len(rows)), *(str(counts[one]) for one in STATUSES)]) + " |"


class Text:
    """An RFC: its table of contents, and what stands in each section itself."""

    def __init__(self, text):
        lines = text.splitlines()
        # The contents end where the first heading stands without dots behind it.
        begin = next(i for i, line in enumerate(lines)
                     if re.match(r"1\.\s+\S", line) and not re.search(r"\.\.|\. \.", line))
        contents = next(i for i, line in enumerate(lines) if line.strip() == "Table of Contents")
        found = [self._number(line.strip()) for line in lines[contents + 1:begin]]
        self.sections = {number: "" for number in found if number}
        current = None
        for line in lines[begin:]:
            number = self._number(line)
            current = number if number in self.sections else current
            if current:
                self.sections[current] += line + "\n"

    @staticmethod
    def _number(line):
        heading = re.match(r"(?:Appendix )?(\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)\.?\s+\S", line)
        return heading and heading.group(1)

    def says(self, level, section):
        return re.search(LEVELS[level], self.sections[section]) is not None


def text_of(document, directory=TEXTS):
    """The RFC's text; None for what is no RFC. Without the texts nothing here can be judged."""
    number = re.fullmatch(r"RFC (\d+)", document)
    if not number:
        return None
    path = directory / f"rfc{number.group(1)}.txt"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: fetch it from https://www.rfc-editor.org/rfc/{path.name}, or name "
            "the directory of the RFCs' texts in RFC_TEXTS")
    return Text(path.read_text(encoding="utf-8", errors="replace"))


# What a test is called, by the end of its file's name. In names that are put together `${...}`
# stands for anything, and is written as "...".
STRING = r'"((?:[^"\\]|\\.)*)"'


def test_names(path, text):
    if path.startswith("fuzz/"):
        return set(re.findall(STRING + r"\)+;", text))
    if path.endswith(".cpp"):
        cases = re.findall(r"\b(?:TEST_CASE|SUBCASE)\(\s*((?:" + STRING + r"\s*)+)\)", text)
        return {"".join(re.findall(STRING, case)).replace('\\"', '"') for case, _ in cases}
    if path.endswith(".py"):
        return set(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE))
    names = re.findall(r"\b(?:it|test|describe)\((['\"`])(.*?)(?<!\\)\1", text)
    return {re.sub(r"\$\{[^}]*\}", "...", name) for _, name in names}


CITED = re.compile(r"RFC (\d{4})((?:(?:,| and| to| or|;)? ?(?:§|section |appendix )"
                   r"(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)*))+)")


def citations(text):
    """(document, section) of each `RFC 8656 §7.2` or `RFC 8489 §9.2, §14.5` in a test."""
    for number, sections in CITED.findall(text):
        for section in re.findall(r"(?:§|section |appendix )(\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)",
                                  sections):
            yield f"RFC {number}", section


# The rules. Each gives its problems as sentences that begin with the place.


def shape_problems(page):
    yield from page.misshapen
    for row in page.rows:
        if row.level not in LEVELS:
            yield f"{row}: the level is one of {', '.join(LEVELS)}"
        if row.status not in STATUSES:
            yield f"{row}: the status is one of {', '.join(STATUSES)}"
        if row.status == "done" and not row.proofs:
            yield f"{row}: what is done has a test"
        if row.status == "not yet" and row.proofs:
            yield f"{row}: what a test proves is done"
        if row.status in ("differs", "n/a") and not row.reason:
            yield f"{row}: `{row.status}` needs its reason"
    seen = collections.Counter((row.document, row.section, row.requirement) for row in page.rows)
    yield from (f"{' §'.join(key[:2])}: twice: {key[2]}" for key in seen if seen[key] > 1)


def place_of(section):
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part)
            for part in section.split(".")]


def order_problems(page):
    """The rows of a document stand in the order of its sections, appendices last."""
    for before, after in zip(page.rows, page.rows[1:]):
        places = [(not row.section[0].isdigit(), place_of(row.section)) for row in (before, after)]
        if before.document == after.document and places[1] < places[0]:
            yield f"{after}: stands behind §{before.section}"


def section_problems(row, text):
    if row.section not in text.sections:
        yield f"{row}: {row.document} has no such section"
    elif row.level in LEVELS and not text.says(row.level, row.section):
        yield f"{row}: there is no {row.level} in it"


def proof_problems(page, names_of):
    """names_of(path): the names of the tests in a file; None where there is no such file."""
    used = {key for row in page.rows for key, _ in row.proofs}
    for key, path in page.links.items():
        if names_of(path) is None:
            yield f"[{key}]: there is no {path}"
        elif key not in used:
            yield f"[{key}]: proves nothing"
    for row in page.rows:
        for key, name in row.proofs:
            if key not in page.links:
                yield f"{row}: nothing says which file [{key}] is"
            elif name not in (names_of(page.links[key]) or ()):
                yield f"{row}: there is no such test in {page.links[key]}: {name}"


def citation_problems(page, path, text):
    """Each section that a test cites has a row, of itself or of a part of it."""
    rows = {(row.document, row.section) for row in page.rows}
    for document, section in citations(text):
        covered = any(where == document and (one == section or one.startswith(section + "."))
                      for where, one in rows)
        if document in page.documents and not covered:
            yield f"{path}: {document} §{section} is cited and has no row"


def summary_problems(page):
    if page.summary() not in page.text:
        yield f"the summary is not what the rows come to, run tests/docs/conformance.py --write:\n" + \
            page.summary()


def main():
    page = Page(PAGE.read_text(encoding="utf-8"))
    if sys.argv[1:] == ["--write"]:
        old = re.compile(re.escape(SUMMARY_HEAD[:12]) + r".*\n(?:\|.*\n)+")
        PAGE.write_text(old.sub(lambda _: page.summary(), page.text, count=1), encoding="utf-8")
    print(page.summary(), end="")


if __name__ == "__main__":
    main()
