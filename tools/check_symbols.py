#!/usr/bin/env python3
"""check_symbols.py - the library defines what its headers declare, and nothing else.

    tools/check_symbols.py LIBCOPPICE.a

Every function and variable declared in include/coppice is defined in the library; every global
symbol of the library is called cop_... and declared there, or copi_..., or is an exception below.
Status 1 if one is not."""

import pathlib
import re
import subprocess
import sys
import tempfile

EXCEPTIONS = {
    "__assert_fail": "replaces libc's, so that a failed assert ends its process only",
    "abort": "replaces libc's, for the same",
    "exit": "goes before libc's, so that in a process it ends that process (exits.c)",
    "_exit": "goes before libc's, so that in a process it ends that process (exits.c)",
    "_Exit": "goes before libc's, so that in a process it ends that process (exits.c)",
    "quick_exit": "goes before libc's, so that in a process it ends that process (exits.c)",
    "pthread_exit": "goes before libc's, so that in a process it ends that process (exits.c)",
    "thrd_exit": "goes before libc's, so that in a process it ends that process (exits.c)",
    "malloc": "goes before libc's, so that a fault inside is known for what it is (heap.c)",
    "calloc": "goes before libc's, so that a fault inside is known for what it is (heap.c)",
    "realloc": "goes before libc's, so that a fault inside is known for what it is (heap.c)",
    "free": "goes before libc's, so that a fault inside is known for what it is (heap.c)",
    "memalign": "goes before libc's, so that a fault inside is known for what it is (heap.c)",
    "aligned_alloc": "goes before libc's, so that a fault inside is known for what it is (heap.c)",
    "posix_memalign": "goes before libc's, so that a fault inside is known for what it is (heap.c)",
}
# copi_...; a message type copi_... has a descriptor that COP_TYPE knows by this name.
PRIVATE = re.compile(r"^(cop_type_)?copi_\w+$")


def declared_functions(root):
    """The functions declared, not defined, in the public headers; gcc lists them."""
    with tempfile.TemporaryDirectory() as directory:
        listing = pathlib.Path(directory, "functions")
        subprocess.run(["gcc", "-std=c11", f"-I{root}/include", "-fsyntax-only", "-aux-info",
                        listing, "-x", "c", f"{root}/include/coppice/coppice.h"], check=True)
        lines = listing.read_text(encoding="utf-8").splitlines()
    declaration = re.compile(r"^/\* .*include/coppice/\w+\.h:\d+:\w+ \*/ extern .*?\b(\w+) \(")
    return {match[1] for match in map(declaration.match, lines) if match}


def declared_variables(root):
    """The variables declared `extern` in the public headers."""
    names = set()
    for path in sorted((root / "include/coppice").glob("*.h")):
        text = re.sub(r"(?s)/\*.*?\*/", "", path.read_text(encoding="utf-8"))
        text = re.sub(r"(?m)^\s*#(?:.*\\\n)*.*$", "", text)
        for declaration in re.findall(r"\bextern\s+(?!\")([^;(]*);", text):
            names.update(re.findall(r"(\w+)\s*(?:,|$)", declaration))
    return names


def defined_symbols(library):
    """The library's global symbols; those with a dot are of the debug information."""
    output = subprocess.run(["nm", "-g", "--defined-only", "-P", library], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    names = {line.split()[0] for line in output.splitlines() if len(line.split()) > 1}
    return {name for name in names if "." not in name}


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    declared = declared_functions(root) | declared_variables(root)
    defined = defined_symbols(sys.argv[1])
    faults = [f"{name}: declared in include/coppice and not defined"
              for name in sorted(declared - defined)]
    for name in sorted(defined - declared - set(EXCEPTIONS)):
        if PRIVATE.match(name):
            continue
        if name.startswith("cop_"):
            faults.append(f"{name}: defined and not declared in include/coppice")
        else:
            faults.append(f"{name}: a global name that is neither cop_... nor copi_...")
    for fault in faults:
        print(fault)
    print(f"{len(declared)} declared, {len(defined)} defined, {len(faults)} faults")
    return 0 if declared and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
