"""A Markdown page as the tests read it: headings, fenced blocks, code in a line."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Page:
    def __init__(self, name):
        self.name = name
        self.text = (ROOT / name).read_text(encoding="utf-8")
        self.blocks = FENCE.findall(self.text)  # (language, text)
        self.prose = FENCE.sub("", self.text)

    def commands(self):
        """The lines of its sh blocks that call yuelao, each with its continuation lines."""
        for language, text in self.blocks:
            if language == "sh":
                for line in re.sub(r"\\\n\s*", "", text).splitlines():
                    if re.match(r"(sudo )?yuelao ", line):
                        yield line.split(" #")[0].rstrip()

    def inline(self):
        """What stands between backquotes in the prose."""
        return [re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", self.prose)]

    def headings(self):
        return re.findall(r"^(#+) (.*)$", self.prose, re.MULTILINE)


def all_pages():
    return ["README.md"] + sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))
