"""Prints the project's own sources out of a compile_commands.json, the longest first.

The longest first, because a slow file that starts last keeps one core waiting.
"""

import json
import os
import sys

root = os.getcwd() + os.sep
with open(sys.argv[1], encoding="utf-8") as database:
    files = {entry["file"] for entry in json.load(database)}
# These are Boost's sources in files of ours; what the build writes is nobody's.
boosts = ("server/asio_impl.cpp", "server/url_impl.cpp")
own = [file[len(root):] for file in files
       if file.startswith(root) and not file.startswith(root + "build" + os.sep)
       and not file.endswith(boosts)]
for file in sorted(own, key=lambda file: (not file.startswith("server/"), -os.path.getsize(file), file)):
    print(file)
