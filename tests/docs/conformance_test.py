"""docs/conformance.md against the RFCs' texts and the tests there are; each rule is also shown
something that breaks it."""

import functools
import subprocess

import pytest

import conformance
from conformance import PAGE, ROOT, TEXTS, Page, Text

TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True,
                         text=True).stdout.splitlines()
TESTS = [path for path in TRACKED if path.startswith(("tests/", "fuzz/"))
         and path.endswith((".cpp", ".hpp", ".py", ".js", ".c", ".go"))
         and path != "tests/docs/conformance_test.py"]
page = Page(PAGE.read_text(encoding="utf-8"))


@functools.cache
def text_of(document):
    return conformance.text_of(document)


@functools.cache
def names_of(path):
    file = ROOT / path
    if not file.exists():
        return None
    return conformance.test_names(path, file.read_text(encoding="utf-8"))


def expect_none(problems):
    found = list(problems)
    assert not found, "\n" + "\n".join(found)


def test_there_are_hundreds_of_rows():
    assert len(page.rows) >= 250
    assert {"RFC 8489", "RFC 8656"} < set(page.documents)


def test_every_row_is_well_formed():
    expect_none(conformance.shape_problems(page))
    expect_none(conformance.order_problems(page))


def test_every_row_names_a_section_of_its_document_that_speaks_so():
    expect_none(problem for row in page.rows if (text := text_of(row.document))
                for problem in conformance.section_problems(row, text))


def test_every_row_names_tests_that_exist():
    expect_none(conformance.proof_problems(page, names_of))


def test_every_requirement_that_a_test_cites_has_a_row():
    expect_none(problem for path in TESTS for problem in conformance.citation_problems(
        page, path, (ROOT / path).read_text(encoding="utf-8")))


def test_every_section_that_a_source_file_cites_exists():
    sources = [path for path in TRACKED if path.endswith((".hpp", ".cpp"))]
    problems = []
    for path in sources:
        for document, section in conformance.citations((ROOT / path).read_text(encoding="utf-8")):
            known = (TEXTS / f"rfc{document[4:]}.txt").exists()
            if known and section not in text_of(document).sections:
                problems.append(f"{path}: {document} has no §{section}")
    expect_none(problems)


def test_the_summary_is_what_the_rows_come_to():
    expect_none(conformance.summary_problems(page))


# What breaks each of these is found.

HEAD = "## RFC 1: one\n\n| § | requirement | level | status | proof, or reason |\n|---|---|---|---|---|\n"
LINK = "\n[turn/a]: ../tests/turn/a_test.cpp\n"
SOUND = "| 2.1 | what | MUST | done | [turn/a] it does |\n"
RFC = """
Table of Contents

   1.  Introduction
   2.  Rules . . . . . . 2
     2.1.  One ......... 3

1.  Introduction

   A client MAY do it.

2.  Rules
2.1.  One

   A server MUST do it. It SHOULD
   NOT do more.
"""


def made(*rows, head=HEAD, link=LINK):
    return Page(head + "".join(rows) + link)


def names(path):
    return {"it does"} if path == "tests/turn/a_test.cpp" else None


def problems_of(one):
    text = Text(RFC)
    found = [*conformance.shape_problems(one), *conformance.order_problems(one),
             *conformance.proof_problems(one, names)]
    return found + [problem for row in one.rows
                    for problem in conformance.section_problems(row, text)]


def test_a_sound_page_has_no_problems():
    assert problems_of(made("| 1 | what | MAY | n/a | a reason |\n",
                            "| 2.1 | more | SHOULD NOT | differs | a reason<br>[turn/a] it does |\n",
                            SOUND, "| 2.1 | later | MUST | not yet | |\n")) == []


@pytest.mark.parametrize("row, problem", [
    ("| 2.1 | what | MUST | done | |\n", "what is done has a test"),
    ("| 2.1 | what | MUST | done | because |\n", "what is done has a test"),
    ("| 2.1 | what | MUST | done | [turn/a] it did |\n", "there is no such test"),
    ("| 2.1 | what | MUST | done | [turn/a] it does<br>[turn/a] x |\n", "there is no such test"),
    ("| 2.1 | what | MUST | done | [turn/b] it does |\n", "nothing says which file"),
    ("| 2.1 | what | MUST | not yet | [turn/a] it does |\n", "what a test proves is done"),
    ("| 2.1 | what | MUST | differs | [turn/a] it does |\n", "needs its reason"),
    ("| 2.1 | what | MUST | n/a | |\n", "needs its reason"),
    ("| 2.1 | what | MUST | nearly | |\n", "the status is one of"),
    ("| 2.1 | what | must | done | [turn/a] it does |\n", "the level is one of"),
    ("| 2.1 | what | MAY | done | [turn/a] it does |\n", "there is no MAY in it"),
    ("| 2.1 | what | MUST NOT | done | [turn/a] it does |\n", "there is no MUST NOT in it"),
    ("| 2.2 | what | MUST | done | [turn/a] it does |\n", "RFC 1 has no such section"),
    ("| 2.1 | what | MUST | done |\n", "a row has five cells"),
    (SOUND + SOUND, "twice"),
    (SOUND + "| 1 | what | MAY | n/a | a reason |\n", "stands behind §2.1"),
])
def test_a_row_that_is_not_true_is_found(row, problem):
    assert problem in "\n".join(problems_of(made(row)))


@pytest.mark.parametrize("link, problem", [
    (LINK.replace("a_test", "b_test"), "there is no tests/turn/b_test.cpp"),
    (LINK + LINK.replace("/a]", "/c]"), "[turn/c]: proves nothing"),
])
def test_a_link_that_leads_nowhere_is_found(link, problem):
    assert problem in "\n".join(problems_of(made(SOUND, link=link)))


@pytest.mark.parametrize("comment, missing", [
    ("// RFC 1 §2.1", []), ("// RFC 0001 §2.1", []), ("// RFC 0002 §9", []), ("// RFC 0001", []),
    ("// RFC 0001 §3", ["3"]), ("// RFC 0001 §2", []), ("// RFC 0001 §2.1.1", ["2.1.1"]),
    ("// RFC 0001 §2.1, §3 and §4.4", ["3", "4.4"]), ("# RFC 0001 section 7", ["7"]),
    ("// RFC 0001 §2.1 to §2.3: both", ["2.3"]), ("// RFC 0001 appendix B.1", ["B.1"]),
])
def test_a_citation_without_a_row_is_found(comment, missing):
    cited = made(SOUND, head=HEAD.replace("RFC 1", "RFC 0001"))
    assert list(conformance.citation_problems(cited, "x.cpp", comment)) == \
        [f"x.cpp: RFC 0001 §{section} is cited and has no row" for section in missing]


def test_a_summary_that_is_wrong_is_found():
    one = made(SOUND)
    assert list(conformance.summary_problems(one))
    right = one.summary()
    assert "| [RFC 1](#rfc-1-one) | 1 | 1 | 0 | 0 | 0 |" in right
    assert list(conformance.summary_problems(made(SOUND, head=right + HEAD))) == []
    assert list(conformance.summary_problems(made(SOUND, SOUND, head=right + HEAD)))


def test_without_the_rfcs_texts_nothing_passes(tmp_path):
    with pytest.raises(FileNotFoundError, match="RFC_TEXTS"):
        conformance.text_of("RFC 8656", tmp_path)
    assert conformance.text_of("PROXY protocol", tmp_path) is None


@pytest.mark.parametrize("path, text, found", [
    ("tests/a_test.cpp", 'TEST_CASE("one \\"two\\" "\n  "three") {  // RFC 1', 'one "two" three'),
    ("tests/a_test.cpp", '  SUBCASE("inside") {', "inside"),
    ("fuzz/a_fuzzer.cpp", 'promise(a.b(c), "it holds");', "it holds"),
    ("tests/a_test.py", "def test_it(client):\n", "test_it"),
    ("tests/a.test.js", "it(`${who} does it`, async () => {", "... does it"),
    ("tests/a.test.js", "  it('does it', () => {", "does it"),
])
def test_the_names_of_tests_are_read(path, text, found):
    assert conformance.test_names(path, text) == {found}
