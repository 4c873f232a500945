"""Holds the tree to the rules; each rule is also shown something that breaks it."""

import os
import pathlib
import subprocess

import pytest

import rules

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True,
                         text=True).stdout.split("\n")
SOURCES = [path for path in TRACKED if path.endswith((".hpp", ".cpp"))]
WRITTEN = [path for path in TRACKED
           if path.endswith((".hpp", ".cpp", ".py", ".js", ".c", ".go", ".cmake", "CMakeLists.txt"))
           or path.startswith(("scripts/", ".ci/"))]


def over(paths, rule):
    return [problem for path in paths
            for problem in rule(path, (ROOT / path).read_text(encoding="utf-8"))]


def test_every_room_includes_only_what_is_below_it():
    assert over(SOURCES, rules.include_problems) == []


@pytest.mark.parametrize("path, line", [
    ("protocol/endpoint.cpp", '#include "protocol/stun/message.hpp"'),
    ("protocol/stun/message.cpp", '#include "protocol/turn/engine.hpp"'),
    ("protocol/edge/client_hello.cpp", '#include "protocol/stun/message.hpp"'),
    ("protocol/edge/client_hello.cpp", "#include <openssl/ssl.h>"),
    ("protocol/stun/message.cpp", "#include <boost/unordered/unordered_flat_map.hpp>"),
    ("protocol/turn/engine.cpp", '#include "config/config.hpp"'),
    ("protocol/turn/engine.cpp", "#include <boost/asio/io_context.hpp>"),
    ("protocol/turn/engine.cpp", "#include <sys/socket.h>"),
    ("protocol/turn/engine.cpp", "#include <mutex>"),
    ("config/load.cpp", '#include "server/log.hpp"'),
    ("config/load.cpp", "#include <spdlog/spdlog.h>"),
    ("server/shard.cpp", '#include "tests/support/hex.hpp"'),
    ("server/shard.cpp", '#include "shard.hpp"'),
])
def test_an_include_upwards_is_found(path, line):
    assert rules.include_problems(path, f"#pragma once\n{line}\n")


def test_protocol_has_no_clock_chance_socket_log_lock_or_exception():
    assert over(SOURCES, rules.word_problems) == []


@pytest.mark.parametrize("line", [
    "auto t = std::chrono::steady_clock::now();", "std::random_device seed;",
    "RAND_bytes(out, 4);", "int s = socket(AF_INET, SOCK_DGRAM, 0);", "spdlog::info(x);",
    "asio::io_context io;", "throw std::runtime_error{x};", "try {", "std::mutex lock;",
    "std::scoped_lock lock{m};", "std::cout << 1;", 'std::getenv("HOME");', "printf(x);",
    "std::jthread worker;", "clock_gettime(CLOCK_MONOTONIC, &t);",
])
def test_an_impure_word_is_found(line):
    assert rules.word_problems("protocol/turn/engine.cpp", line)
    assert rules.word_problems("protocol/turn/engine.cpp", f'// {line}\n"throw";') == []
    assert rules.word_problems("server/shard.cpp", line) == []


def test_headers_begin_with_pragma_once():
    assert over(SOURCES, rules.header_problems) == []
    assert rules.header_problems("config/load.hpp", "// hello\n")


def test_files_fit_in_the_head():
    assert over(WRITTEN, rules.file_size_problems) == []
    assert rules.file_size_problems("server/shard.cpp", "\n" * 401)
    assert rules.file_size_problems("tests/server/shard_test.cpp", "\n" * 601)


def test_nothing_is_left_for_later():
    here = "tests/layering/"
    assert over([path for path in WRITTEN if not path.startswith(here)],
                rules.unfinished_problems) == []
    assert rules.unfinished_problems("a.cpp", "// TODO: more")
    assert rules.unfinished_problems("a.sh", "make || true")


def test_functions_fit_on_a_screen(tmp_path):
    count, problems = rules.function_size_problems([str(ROOT / path) for path in SOURCES])
    assert problems == []
    assert count > 100  # or ctags understood nothing

    long = tmp_path / "long.cpp"
    long.write_text("int long_one() {\n" + "  f();\n" * 60 + "  return 0;\n}\n")
    assert rules.function_size_problems([str(long)])[1]


def test_what_starts_threads_is_looked_at_by_thread_sanitizer():
    paths = [str((pathlib.Path(lists).parent / source)) for lists in TRACKED
             if lists.startswith("tests/") and lists.endswith("CMakeLists.txt")
             for source in rules.quiet_tests((ROOT / lists).read_text(encoding="utf-8"))]
    assert "tests/turn/relay_test.cpp" in paths
    assert "tests/server/poller_test.cpp" not in paths
    assert over(paths, rules.thread_problems) == []
    assert rules.thread_problems("a.cpp", "#include <vector>\n#include <thread>\n")


def test_libraries_link_only_what_is_below_them():
    targets = os.environ.get("YUELAO_TARGETS")
    assert targets, ("YUELAO_TARGETS is not set: run `scripts/test --stage layering`, or name the "
                     "file that `cmake --preset dev --graphviz=FILE` writes.")
    graph = pathlib.Path(targets)
    edges = rules.links(graph.read_text(encoding="utf-8"))
    assert {"yuelao_base", "yuelao_stun", "yuelao_turn"} <= edges.keys()
    assert rules.link_problems(edges) == []


@pytest.mark.parametrize("edge", [
    "yuelao_base -> yuelao_stun", "yuelao_stun -> Boost::headers", "yuelao_edge -> OpenSSL::SSL", "yuelao_turn -> yaml-cpp",
    "yuelao_config -> yuelao_server", "yuelao_server -> yuelao_test_main",
])
def test_a_link_upwards_is_found(edge):
    assert rules.link_problems(rules.links(f'"node1" -> "node2"  // {edge}\n'))


def test_a_circle_of_links_is_found():
    assert rules.link_problems({"yuelao_log": {"yuelao_server"}, "yuelao_server": {"yuelao_log"}})
