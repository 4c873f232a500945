"""Prints llvm-cov's summary as lines a file; exit status 1 below the limit, in percent."""

import json
import sys


def main():
    path, root, limit = sys.argv[1:]
    with open(path, encoding="utf-8") as summary:
        data = json.load(summary)["data"][0]
    print("lines   run       %  file")
    for file in sorted(data["files"], key=lambda file: file["filename"]):
        lines = file["summary"]["lines"]
        name = file["filename"].removeprefix(root).lstrip("/")
        print(f"{lines['count']:5} {lines['covered']:5} {lines['percent']:7.2f}  {name}")
    total = data["totals"]["lines"]
    print(f"{total['count']:5} {total['covered']:5} {total['percent']:7.2f}  in all; at least {limit} are wanted")
    sys.exit(0 if total["count"] > 0 and total["percent"] >= float(limit) else 1)


if __name__ == "__main__":
    main()
