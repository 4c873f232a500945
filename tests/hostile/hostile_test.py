"""yuelao holds against what tests/hostile/report does, whatever the machine: bounded counts, octets
and memory, and clients that are served afterwards. What depends on time is reported, not asserted."""

import pathlib

import pytest

import attacks
import table

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("attack", attacks.ALL, ids=lambda attack: attack.number)
def test_yuelao_holds(stage, attack):
    findings = attack.run(stage, "yuelao")
    for each in findings:
        print(f"{each.what}: {each.figure}")
    failed = [f"{each.what}: {each.figure}" for each in findings
              if not each.held and each.asserted]
    assert findings and not failed, "\n".join(failed)


def test_the_page_has_every_class_and_its_tests():
    page = table.PAGE.read_text(encoding="utf-8")
    report = page.split(table.BEGIN)[1].split(table.END)[0]
    for number, attack in enumerate(attacks.ALL, start=1):
        assert attack.number == f"T{number}"
        assert f"| **{attack.number}** {attack.title} | *{attack.mechanism}*" in report
        for test in attack.tests:
            assert (ROOT / test).exists(), test
