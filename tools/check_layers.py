#!/usr/bin/env python3
"""check_layers.py - includes point down.

A file of src/<layer> may include the public headers, the C library and the system, its own
directory, and the layers below its own:

    behaviour  >  runtime  >  platform  >  base        above all of them: include/coppice

behaviour/ may include its own directory and public headers only: it could have been written by
a user.  A public header may include public headers and the C library.  Prints file:line of each
include that does otherwise; status 1 if there is one."""

import pathlib
import re
import sys

LAYERS = ["base", "platform", "runtime", "behaviour"]     # bottom up
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')
ANY_INCLUDE = re.compile(r"^\s*#\s*include\b")


def layer_of(path, root):
    """The layer that a path lies in: one of LAYERS, "public" or None."""
    parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
    if parts[:1] == ("src",) and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("include", "coppice"):
        return "public"
    return None


def allowed(layer):
    """What a layer may include of the project."""
    if layer == "public":
        return {"public"}
    if layer == "behaviour":
        return {"public", "behaviour"}
    return {"public", *LAYERS[:LAYERS.index(layer) + 1]}


def fault_of(path, line, root):
    """What is wrong with the include in this line, or None."""
    match = INCLUDE.match(line)
    if match is None:
        return "an include that is neither <...> nor \"...\""
    system, local = match.groups()
    layer = layer_of(path, root)
    if system is not None:
        if (root / "src" / system).exists():
            return f"<{system}> is private and belongs in quotes"
        if system.startswith("coppice/") and not (root / "include" / system).exists():
            return f"there is no public header <{system}>"
        return None

    target = (path.parent / local).resolve()
    if not target.exists():
        return f'"{local}" is not there, seen from the file\'s own directory'
    to = layer_of(target, root)
    if to == "public":
        return f'public headers are included as <coppice/{target.name}>'
    if to not in allowed(layer):
        return f'{layer} may not include {to or "what lies outside of the layers"}: "{local}"'
    return None


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    files = [path for directory in ("src", "include/coppice")
             for path in sorted((root / directory).rglob("*")) if path.suffix in (".c", ".h", ".S")]
    includes, faults = 0, 0
    for path in files:
        if layer_of(path, root) not in ["public", *LAYERS]:
            print(f"{path.relative_to(root)}:1: lies in no layer")
            faults += 1
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not ANY_INCLUDE.match(line):
                continue
            includes += 1
            fault = fault_of(path, line, root)
            if fault is not None:
                print(f"{path.relative_to(root)}:{number}: {fault}")
                faults += 1
    print(f"{len(files)} files, {includes} includes, {faults} faults")
    return 0 if files and faults == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
