"""What the container image installs beside the program is all that the program loads."""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ["YUELAO"]
BASE = {"libc6", "libgcc-s1", "libstdc++6"}  # of every Debian image


def printed(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def package_of(library):
    """The owner of the file, which dpkg may know by its place before /usr was merged."""
    for path in (library, library.removeprefix("/usr")):
        done = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.partition(":")[0]
    raise AssertionError(f"no package has {library}")


def with_dependencies(packages):
    every, ahead = set(), list(packages)
    while ahead:
        package = ahead.pop()
        if package in every:
            continue
        every.add(package)
        depends = printed("dpkg-query", "-W", "-f", "${Depends}", package)
        ahead += [re.match(r"\s*([^\s:(|]+)", one)[1] for one in depends.split(",") if one.strip()]
    return every


def test_every_library_comes_with_the_packages_of_the_image():
    loaded = re.findall(r"=> (/\S+)", printed("ldd", BINARY))
    assert len(loaded) > 10
    needed = {package_of(os.path.realpath(library)) for library in loaded}
    assert needed - BASE <= with_dependencies(printed(ROOT / "scripts" / "packages", "runtime").split())


def test_no_package_is_installed_for_nothing():
    wanted = re.findall(r"NEEDED\).*\[(\S+)\]", printed("readelf", "--wide", "--dynamic", BINARY))
    paths = dict(re.findall(r"(\S+) => (/\S+)", printed("ldd", BINARY)))
    direct = {package_of(os.path.realpath(paths[name])) for name in wanted if name in paths}
    assert set(printed(ROOT / "scripts" / "packages", "runtime").split()) <= direct
