"""Each page's commands are run, and what it says they print is what they print.

The convention: lines of ```sh blocks that begin with `yuelao` (or `sudo yuelao`) are run in their
order on a machine with nothing on it (sandbox.py). In the pages of docs/systems every other fenced
block is a part of what they printed, word for word. On all other pages ```yaml blocks are configurations of
yuelao's. On every page ```sh blocks are right to a shell, and each `yuelao ...` in the text names a
command and options that exist.
"""

import re
import shlex
import subprocess

import pytest

from page import ROOT, Page, all_pages
from sandbox import SECRET, YUELAO

SYSTEMS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/systems/*.md"))
OTHERS = [name for name in all_pages() if name not in SYSTEMS]


def printed_by(page, sandbox):
    """All that the page's commands print, after each other."""
    printed = ""
    for command in page.commands():
        result = sandbox.run(command)
        assert result.returncode == 0, f"{command}\n{result.stderr}"
        printed += sandbox.normal(result.stdout)
    return printed


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_page_shows_what_its_commands_print(name, sandbox):
    page = Page(name)
    if name.endswith("/coturn.md"):
        coturn, = (text for language, text in page.blocks if language == "conf")
        sandbox.put("/etc/turnserver.conf", sandbox.moved(coturn))
    printed = printed_by(page, sandbox)
    assert printed, f"{name} runs nothing"
    shown = 0
    for language, text in page.blocks:
        if language == "sh" and re.search(r"^(sudo )?(yuelao|systemctl|scripts/)", text,
                                          re.MULTILINE):
            continue
        if language == "conf":
            continue
        shown += 1
        assert text in printed, f"{name} shows what is not printed:\n{text}\nbut:\n{printed}"
    assert shown, f"{name} shows nothing"


@pytest.mark.parametrize("name", OTHERS)
def test_the_commands_of_a_page_run(name, sandbox):
    printed_by(Page(name), sandbox)


def test_port_443_is_shared_as_the_command_prints_it(sandbox):
    page = Page("docs/port-443.md")
    printed = printed_by(page, sandbox)
    ours, *_ = (text for language, text in page.blocks if language == "yaml")
    assert ours in printed
    nginx, *_ = (text for language, text in page.blocks if language == "nginx")
    lines = [line.strip() for line in nginx.splitlines() if re.match("  (listen|.*real_ip)", line)]
    assert len(lines) == 4 and "\n".join(lines) + "\n" in printed


@pytest.mark.parametrize("name", OTHERS)
def test_the_configurations_of_a_page_are_right(name, sandbox):
    for number, (language, text) in enumerate(Page(name).blocks):
        if language != "yaml":
            continue
        sandbox.put("/etc/yuelao/yuelao.yaml", sandbox.moved(text))
        result = sandbox.run("yuelao check-config /etc/yuelao/yuelao.yaml")
        assert result.returncode == 0, f"{name}, block {number}: {result.stderr}"


@pytest.mark.parametrize("name", all_pages())
def test_the_shell_blocks_of_a_page_are_right_to_a_shell(name):
    for language, text in Page(name).blocks:
        if language != "sh":
            continue
        checked = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True,
                                 check=False)
        assert checked.returncode == 0, f"{name}: {checked.stderr}\n{text}"
        for path in re.findall(r"^(?:sudo )?((?:scripts|tests)/[\w/.-]+)", text, re.MULTILINE):
            assert (ROOT / path).exists(), f"{name} names {path}"


HELP = {}


def help_of(*command):
    if command not in HELP:
        HELP[command] = subprocess.run([YUELAO, *command, "--help"], capture_output=True, text=True,
                                       timeout=60, check=False)
    return HELP[command]


def calls_of(page):
    for code in [*page.inline(), *page.commands()]:
        code = re.sub(r"^sudo ", "", code)
        if re.match(r"yuelao [a-z-]", code):
            yield code


@pytest.mark.parametrize("name", all_pages())
def test_each_yuelao_command_of_a_page_exists_with_its_options(name):
    for call in calls_of(Page(name)):
        words = shlex.split(call)[1:]
        command = [words[0]] if re.fullmatch(r"[a-z][a-z-]*", words[0]) else []
        if words[:1] == ["import"]:
            command = words[:2]
        # Asked for help, yuelao overlooks a command it does not know.
        known = re.findall(r"^  ([a-z-]+) ", help_of().stdout, re.MULTILINE)
        assert not command or command[0] in known, f"{name}: `{call}`"
        shown = help_of(*command)
        assert shown.returncode == 0, f"{name}: `{call}`\n{shown.stderr}"
        for word in words:
            option = word.split("=")[0]
            if option.startswith("--"):
                assert re.search(rf"{option}\b", shown.stdout), f"{name}: `{call}` has no {option}"


def test_every_system_has_a_page_and_the_list_of_pages_names_it():
    listed = subprocess.run([YUELAO, "integrate"], capture_output=True, text=True, check=True)
    systems = re.findall(r"^  ([a-z0-9-]+) ", listed.stdout, re.MULTILINE)
    pages = "".join(Page(name).text for name in SYSTEMS)
    readme = Page("README.md").text
    for system in systems:
        assert f"yuelao integrate {system}" in pages or f"`{system}`" in pages, system
    for name in SYSTEMS:
        assert f"({name})" in readme, f"the README does not lead to {name}"


def test_nothing_secret_is_shown():
    for name in SYSTEMS:
        text = Page(name).text
        assert SECRET not in text and not re.search(r"\b[0-9a-f]{64}\b", text)
