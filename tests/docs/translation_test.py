"""README.zh-TW.md says what README.md says: the same sections, commands, links and tables."""

import re

import pytest

from page import Page

LANGUAGE = re.compile(r"^\[[^\]]+\]\(README[\w.-]*\.md\)$", re.MULTILINE)
ENGLISH = Page("README.md")
CHINESE = Page("README.zh-TW.md")


def shape(page):
    """What a translation cannot change, section by section."""
    prose = LANGUAGE.sub("", page.prose)
    sections = re.split(r"^(?=#+ )", prose, flags=re.MULTILINE)
    return [{
        "level": len(section) - len(section.lstrip("#")),
        "links": sorted(re.findall(r"\]\(([^)]+)\)", section)),
        "code": sorted(re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", section)),
        "rows": len(re.findall(r"^\|", section, re.MULTILINE)),
        "first cells": [cell.strip() for cell in re.findall(r"^\| *([\w, ]*\d{4}[\w, ]*) *\|", section,
                                                           re.MULTILINE)],
        "points": len(re.findall(r"^- ", section, re.MULTILINE)),
    } for section in sections if section.strip()]


def test_both_lead_to_each_other():
    assert "[繁體中文](README.zh-TW.md)" in ENGLISH.text
    assert "[English](README.md)" in CHINESE.text


def test_the_sections_stand_in_the_same_order_with_the_same_things_in_them():
    assert shape(CHINESE) == shape(ENGLISH)


def test_the_commands_and_configurations_are_the_same():
    assert CHINESE.blocks == ENGLISH.blocks


@pytest.mark.parametrize("word", ["服务器", "配置文件", "视频", "密钥", "默认", "软件", "网络", "信息",
                                  "用户", "视频会议", "登录", "日志", "證書", "默認", "網絡", "軟件",
                                  "服務器", "日誌", "用戶名"])
def test_the_words_are_those_of_taiwan(word):
    assert word not in CHINESE.text
