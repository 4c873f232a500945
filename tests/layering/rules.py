"""The rules of the house, each a function from text to the list of what breaks it."""

import json
import re
import subprocess
from graphlib import CycleError, TopologicalSorter

# Which rooms a room's files may include, and which headers of other projects.
INCLUDES = {
    # inet_pton and inet_ntop are text, not sockets; secrets are wiped by OPENSSL_cleanse.
    "base": ({"base"}, ("arpa/inet.h", "openssl/crypto.h")),
    "edge": ({"base", "edge"}, ()),
    "stun": ({"base", "stun"}, ("openssl/", "utf8proc.h")),
    "client": ({"base", "stun", "client"}, ()),
    "turn": ({"base", "stun", "turn"}, ("boost/unordered/",)),
    # open, fstat and read: a secret's file must be one, and says who may read it.
    "config": ({"base", "stun", "turn", "config"},
               ("yaml-cpp/", "fcntl.h", "sys/stat.h", "unistd.h")),
    "server": ({"base", "edge", "stun", "client", "turn", "config", "server"}, None),  # None: any
    "tests": ({"base", "edge", "stun", "client", "turn", "config", "server", "tests"}, None),
    "fuzz": ({"base", "edge", "stun", "client", "turn", "config", "server", "tests", "fuzz"}, None),
}
PURE = {"base", "edge", "stun", "client", "turn"}

# What would let a clock, chance, a socket, a log, a lock or an exception into protocol/.
IMPURE_HEADERS = {
    "barrier", "condition_variable", "csignal", "ctime", "filesystem", "fstream", "future",
    "iostream", "latch", "mutex", "ostream", "print", "random", "semaphore", "shared_mutex",
    "stop_token", "syncstream", "thread",
}
IMPURE_WORDS = re.compile(
    r"\bnow\s*\(\s*\)|\b(?:system|steady|high_resolution)_clock\s*::\s*now\b"
    r"|\bclock_gettime\b|\bgettimeofday\b|\bstd::time\b"
    r"|\brandom_device\b|\bmt19937\w*|\bRAND_bytes\b|\bgetrandom\b|\brand\s*\("
    r"|\bsys/\w+\.h\b|\bsocket\s*\(|\bsendto\b|\brecvfrom\b|\brecvmmsg\b|\bsendmmsg\b"
    r"|\bspdlog\b|\basio\b|\bstd::c(?:out|err|log)\b|\bf?printf\s*\("
    r"|\bthrow\b|\btry\b|\bcatch\b|\bstd::\w*(?:mutex|lock|thread)\b|\bpthread_\w+|\bgetenv\b")

LINKS = {
    "yuelao_strict": set(),
    "yuelao_base": {"yuelao_strict", "OpenSSL::Crypto"},
    "yuelao_edge": {"yuelao_base", "yuelao_strict"},
    "yuelao_stun": {"yuelao_base", "yuelao_strict", "OpenSSL::Crypto", "utf8proc"},
    "yuelao_client": {"yuelao_stun", "yuelao_strict"},
    "yuelao_turn": {"yuelao_stun", "yuelao_strict", "Boost::headers"},
    "yuelao_config": {"yuelao_turn", "yuelao_strict", "yaml-cpp"},
}

UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|\|\|\s*true\b")


def room(path):
    parts = path.split("/")
    if parts[0] != "protocol":
        return parts[0]
    return "base" if len(parts) == 2 else parts[1]


def without_comments(code):
    """The code with comments gone and string literals emptied, its lines kept."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'

    def blank(match):
        text = match.group()
        return '""' if text[0] == '"' else "\n" * text.count("\n")

    return re.sub(pattern, blank, code, flags=re.DOTALL)


def include_problems(path, code):
    here = room(path)
    rooms, libraries = INCLUDES[here]
    problems = []
    for kind, header in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)', code, re.MULTILINE):
        if kind == '"':
            if "/" not in header:
                problems.append(f"{path}: \"{header}\" is not relative to the root")
            elif room(header) not in rooms:
                problems.append(f"{path}: {here} may not include \"{header}\"")
        elif libraries is not None and ("/" in header or "." in header):
            if not header.startswith(libraries):
                problems.append(f"{path}: {here} may not include <{header}>")
        elif here in PURE and header in IMPURE_HEADERS:
            problems.append(f"{path}: protocol/ may not include <{header}>")
    return problems


def word_problems(path, code):
    if room(path) not in PURE:
        return []
    lines = without_comments(code).split("\n")
    return [f"{path}:{number}: `{match.group().strip()}` has no place in protocol/"
            for number, line in enumerate(lines, 1) for match in IMPURE_WORDS.finditer(line)]


def header_problems(path, code):
    if not path.endswith(".hpp") or code.startswith("#pragma once\n"):
        return []
    return [f"{path}: does not begin with #pragma once"]


def file_size_problems(path, code):
    limit = 600 if path.startswith("tests/") else 400
    lines = code.count("\n")
    return [f"{path}: {lines} lines, over {limit}"] if lines > limit else []


def unfinished_problems(path, text):
    return [f"{path}:{number}: `{match.group()}`"
            for number, line in enumerate(text.split("\n"), 1)
            for match in UNFINISHED.finditer(line)]


def function_size_problems(paths, limit=60):
    listing = subprocess.run(
        ["ctags", "--language-force=C++", "--kinds-C++=f", "--fields=+ne", "--sort=no",
         "--output-format=json", "-f", "-", *paths],
        check=True, capture_output=True, text=True).stdout
    functions = [json.loads(line) for line in listing.splitlines()]
    problems = [f"{function['path']}:{function['line']}: {function['name']}() has "
                f"{function['end'] - function['line'] + 1} lines, over {limit}"
                for function in functions
                if function.get("end", 0) - function["line"] + 1 > limit]
    return len(functions), problems


# What starts threads, of the standard library and of ours.
THREADS = re.compile(
    r'^#include (?:<(?:thread|future|pthread\.h)>|"server/(?:background|server)\.hpp"|"tests/server/shard_group\.hpp")$',
    re.MULTILINE)


def quiet_tests(cmake):
    """The sources of each yuelao_test() that is not marked THREADS, as its CMakeLists.txt names them."""
    for match in re.finditer(r"yuelao_test\(NAME \w+( THREADS)?\s+SOURCES(.*?)LIBRARIES", cmake, re.DOTALL):
        if not match.group(1):
            yield from match.group(2).split()


def thread_problems(path, code):
    return [f"{path}: {match.group()}, without THREADS at its yuelao_test()" for match in THREADS.finditer(code)]


def links(graph):
    """The edges of a graph that `cmake --graphviz` wrote, libraries by their plain names."""
    edges = {}
    for line in graph.split("\n"):
        match = re.search(r"->.*// (\S+) -> (\S+)", line)
        if match:
            name = re.sub(r".*/lib(\w+)\.(?:so|a)$", r"\1", match.group(2))
            edges.setdefault(match.group(1), set()).add(name)
    return edges


def link_problems(edges):
    problems = [f"{target} may not link {name}" for target, allowed in LINKS.items()
                for name in sorted(edges.get(target, set()) - allowed)]
    problems += [f"{target} links {name}, which is a test's" for target, names in edges.items()
                 for name in names if "test" in name and "test" not in target]
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as cycle:
        problems.append("targets link in a circle: " + " -> ".join(cycle.args[1]))
    return problems
