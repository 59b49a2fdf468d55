#!/bin/sh
# check_headers.sh - every public header compiles alone, in C and in C++, without a warning.
#
# With gcc and, if it is there, clang; as strict C11 and as C++17.  g++ must be there.
set -u
cd "$(dirname "$0")/.." || exit

warnings='-Wall -Wextra -Wconversion -Wshadow -Werror'
compiled=0
failed=0

compile() {   # HEADER LANGUAGE COMPILER OPTION...: a file that includes nothing but the header
    header=$1 language=$2
    shift 2
    compiled=$((compiled + 1))
    # $warnings is a list of words
    # shellcheck disable=SC2086
    if ! printf '#include <coppice/%s>\n' "$header" |
        "$@" $warnings -Iinclude -fsyntax-only -x "$language" -; then
        echo "include/coppice/$header: does not compile alone with $*"
        failed=$((failed + 1))
    fi
}

for path in include/coppice/*.h; do
    header=${path##*/}
    compile "$header" c gcc -std=c11
    compile "$header" c++ g++ -std=c++17
    if command -v clang >/dev/null; then
        compile "$header" c clang -std=c11
        compile "$header" c++ clang -std=c++17
    fi
done
echo "$compiled compilations, $failed faults"
test "$compiled" -gt 0 && test "$failed" = 0
