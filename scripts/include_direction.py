#!/usr/bin/env python3
"""Fails where a folder includes what it must not know. The table is docs/architecture.md's, row by row."""
import pathlib
import re
import subprocess
import sys

# folder -> folders of ours that it may include (itself always). The longest matching folder counts.
ALLOWED = {
    "bus/base": [],
    "bus/message": ["bus/base"],
    "bus/schedule": ["bus/base", "bus/message"],
    "bus/selector": ["bus/base", "bus/message"],
    "bus/security": ["bus/base"],
    "bus/store": ["bus/base", "bus/message"],
    "bus/core": ["bus/base", "bus/message", "bus/schedule", "bus/selector", "bus/store/store.h", "bus/store/unit_of_work.h"],
    "bus/loop": ["bus/base", "bus/message", "bus/schedule", "bus/core", "bus/store/store.h", "bus/store/body_store.h"],
    "transactions": ["bus/base", "bus/message", "bus/core", "bus/store"],
    "xml-schemas": ["bus/base"],
    "adapters/transport": ["bus/base", "bus/message", "bus/core", "bus/loop", "bus/security", "bus/store/body_store.h"],
    "adapters": ["bus/base", "bus/message", "bus/core", "bus/loop", "bus/security", "bus/store/store.h",
                 "bus/store/body_store.h", "transactions", "xml-schemas", "adapters/transport"],
    # SOAP over HTTP shares the HTTP adapter's sessions, error table and JSON.
    "adapters/soap": ["bus/base", "bus/message", "bus/core", "bus/loop", "bus/security", "xml-schemas",
                      "adapters/transport", "adapters/http"],
    "server": ["bus", "transactions", "xml-schemas", "adapters"],
    "bench": ["bus", "transactions", "adapters", "tests/support"],
    "tests": ["bus", "transactions", "xml-schemas", "adapters", "server", "bench", "tests"],
}
# Libraries that stay behind one folder.
WALLS = [
    (re.compile(r"<(xercesc|xalanc)/"), ("xml-schemas/",)),
    (re.compile(r"<boost/"), ("adapters/transport/", "bench/", "tests/adapters/transport/")),
    (re.compile(r"<proton/"), ("adapters/amqp/", "tests/adapters/amqp/", "tests/integration/cpp/", "bench/")),
    (re.compile(r"<Poco/"), ("server/", "adapters/http/", "tests/")),
]


def folder_of(path):
    matches = [f for f in ALLOWED if path == f or path.startswith(f + "/")]
    return max(matches, key=len) if matches else None


def main():
    files = subprocess.run(["git", "ls-files", "*.h", "*.cpp"], capture_output=True, text=True, check=True).stdout.split()
    wrong = 0
    for name in files:
        folder = folder_of(name)
        if folder is None:
            continue
        own = "/".join(name.split("/")[:-1])
        for number, line in enumerate(pathlib.Path(name).read_text(encoding="utf-8").splitlines(), 1):
            include = re.match(r'\s*#\s*include\s*(["<][^">]+[">])', line)
            if not include:
                continue
            target = include.group(1)
            for pattern, allowed in WALLS:
                if pattern.match(target) and not name.startswith(allowed):
                    print(f"{name}:{number}: {target} belongs behind {', '.join(allowed)}", file=sys.stderr)
                    wrong += 1
            target = target[1:-1]
            if folder_of(target) is None or target.startswith(own + "/") or folder_of(target) == folder and folder != "adapters":
                continue
            if folder == "adapters" and target.startswith("/".join(name.split("/")[:2]) + "/"):
                continue
            if not any(target == a or target.startswith(a + "/") for a in ALLOWED[folder]):
                print(f"{name}:{number}: {folder} must not include {target}", file=sys.stderr)
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
