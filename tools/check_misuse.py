#!/usr/bin/env python3
"""check_misuse.py - what the headers promise not to compile does not.

    tools/check_misuse.py COMPILER...

Each case is a right line and wrong ones.  The right one must compile without a warning, so that it
is not the line's surroundings that are refused; each wrong one must be an error, not a warning.
With the given C compiler, and, if they are there, with gcc, clang and, for what C++ can use, g++
and clang++."""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What stands around a line that is tried, in place of LINE.
MESSAGES = """#include <coppice/coppice.h>
COP_MESSAGE(ping, { int n; });
COP_MESSAGE(pong, { const char *text; });
void sends(cop_pid pid, pong other);
void sends(cop_pid pid, pong other) { (void)pid, (void)other; LINE; }
"""
CHILDREN = """#include <coppice/coppice.h>
static cop_gen_server server;
static const cop_gen_server servers[] = { { .name = "first" }, { .name = "second" } };
static const cop_supervisor supervisor = { .name = "supervisor" };
static const cop_dynamic_supervisor dynamic = { .name = "dynamic" };
static const cop_agent agent = { .name = "agent" };
static const cop_registry registry = { .name = "registry" };
static const cop_partition_supervisor partitions = { .name = "partitions" };
static const cop_task_supervisor tasks = { .name = "tasks" };
const cop_child_spec *table(void);
const cop_child_spec *table(void)
{
    (void)&server, (void)servers, (void)&supervisor, (void)&dynamic;
    (void)&agent, (void)&registry, (void)&partitions, (void)&tasks;
    static const cop_child_spec children[] = { LINE };
    return children;
}
"""

DECLARATIONS = "#include <coppice/coppice.h>\nLINE;\n"

# What stands around them, whether that is C++ too, right lines, wrong lines.
CASES = [
    (MESSAGES, False,
     ["cop_send(pid, ping, .n = 3)", "cop_send(pid, pong, other.text)"],
     ["cop_send(pid, ping, .text = 0)", "cop_send(pid, ping, other)", "cop_send(other, ping, 3)"]),
    (CHILDREN, True,
     ["COP_CHILD_SERVER(server)", "COP_CHILD_SERVER(servers[1], .restart = COP_TRANSIENT)"],
     ["COP_CHILD_SERVER(supervisor)", "COP_CHILD_SERVER(dynamic)", "COP_CHILD_SERVER(servers)",
      "COP_CHILD_SERVER(table)"]),
    (CHILDREN, True,
     ["COP_CHILD_SUPERVISOR(supervisor)"],
     ["COP_CHILD_SUPERVISOR(server)", "COP_CHILD_SUPERVISOR(dynamic)"]),
    (CHILDREN, True,
     ["COP_CHILD_DYNAMIC_SUPERVISOR(dynamic)"],
     ["COP_CHILD_DYNAMIC_SUPERVISOR(server)", "COP_CHILD_DYNAMIC_SUPERVISOR(supervisor)"]),
    (CHILDREN, True,
     ["COP_CHILD_AGENT(agent)", "COP_CHILD_REGISTRY(registry)",
      "COP_CHILD_PARTITION_SUPERVISOR(partitions)", "COP_CHILD_TASK_SUPERVISOR(tasks)"],
     ["COP_CHILD_AGENT(server)", "COP_CHILD_REGISTRY(agent)",
      "COP_CHILD_PARTITION_SUPERVISOR(supervisor)", "COP_CHILD_TASK_SUPERVISOR(dynamic)"]),
    (DECLARATIONS, True,
     ["COP_MESSAGE(ping, { int n; })", "COP_CALL(add, { int amount; }, { int total; })"],
     ["COP_MESSAGE(ping)"]),
]
WARNINGS = ["-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror"]


def compiles(compiler, around, line, *options):
    """Whether the line compiles, and what the compiler said."""
    result = subprocess.run([*compiler, *options, f"-I{ROOT / 'include'}", "-fsyntax-only", "-"],
                            input=around.replace("LINE", line), text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.returncode == 0, result.stdout


def faults_of(compiler, around, right, wrong):
    name = " ".join(compiler)
    for line in right:
        good, said = compiles(compiler, around, line, *WARNINGS)
        if not good:
            yield f"{name}: {line} does not compile:\n{said}"
    for line in wrong:
        if compiles(compiler, around, line)[0]:
            yield f"{name}: {line} compiles"


def main():
    in_c = [[*sys.argv[1:], "-x", "c", "-std=gnu11"]]
    in_c += [[name, "-x", "c", "-std=c11"] for name in ("gcc", "clang") if shutil.which(name)]
    in_cpp = [[name, "-x", "c++", "-std=c++20"] for name in ("g++", "clang++")
              if shutil.which(name)]
    lines, faults = 0, 0
    for around, also_cpp, right, wrong in CASES:
        for compiler in in_c + (in_cpp if also_cpp else []):
            lines += len(right) + len(wrong)
            for fault in faults_of(compiler, around, right, wrong):
                print(fault)
                faults += 1
    print(f"{lines} lines compiled, {faults} faults")
    return 0 if lines and faults == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
