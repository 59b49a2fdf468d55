#!/bin/sh
# setup.sh - prepares a checkout: installs what is missing, sets up a build directory.
#
#     tools/setup.sh                        installs the packages
#     tools/setup.sh DIRECTORY [OPTION...]  and makes DIRECTORY ready for ninja, with those
#                                           Meson options; CC is honoured
#
# With COVERAGE set, gcovr is one of the packages: `make coverage`.  With MODELS set it is spin: `make
# models`.  With MUTATIONS set it is patch: `make mutations`.  With OTP set it is Erlang/OTP: only
# `make test-otp` needs it.  With AARCH64 set it is the compilers and libraries for AArch64, and
# qemu-user: `make test-aarch64`.  With PEERS set, those that `make bench-peers` compares with.
#
# Where it cannot install (not Debian, neither root nor sudo) it names what is missing and stops
# with status 1.  With everything there it does nothing and needs no network.  What the build can do
# without is installed along with the rest, and named if it is missing when a directory is set up.
set -eu

# Debian package, and how to tell that it is there when it was not installed as one.
packages() {
    cat <<'END'
gcc              command -v gcc
g++              command -v g++
libc6-dev        test -e /usr/include/stdlib.h
meson            command -v meson
ninja-build      command -v ninja
pkg-config       command -v pkg-config
python3          command -v python3
check            pkg-config --exists check
libsqlite3-dev   pkg-config --exists sqlite3
valgrind         command -v valgrind
END
    test -z "${COVERAGE:-}" || echo 'gcovr            command -v gcovr'
    test -z "${OTP:-}${PEERS:-}" || echo 'erlang-base      command -v erlc'
    test -z "${MODELS:-}" || echo 'spin             command -v spin'
    test -z "${MUTATIONS:-}" || echo 'patch            command -v patch'
    test -z "${PEERS:-}" || cat <<'END'
elixir           command -v elixirc
golang-go        command -v go
libcaf-dev       test -e /usr/include/caf/all.hpp
END
    test -z "${AARCH64:-}" || cat <<'END'
gcc-aarch64-linux-gnu  command -v aarch64-linux-gnu-gcc
g++-aarch64-linux-gnu  command -v aarch64-linux-gnu-g++
qemu-user              command -v qemu-aarch64
check:arm64            test -e /usr/lib/aarch64-linux-gnu/pkgconfig/check.pc
libsqlite3-dev:arm64   test -e /usr/lib/aarch64-linux-gnu/pkgconfig/sqlite3.pc
libdw-dev:arm64        test -e /usr/lib/aarch64-linux-gnu/pkgconfig/libdw.pc
libstdc++6:arm64       test -e /usr/lib/aarch64-linux-gnu/libstdc++.so.6
END
    case "${CC:-}" in
    *clang*)
        echo 'clang            command -v clang'
        # the probe is for eval
        # shellcheck disable=SC2016
        echo 'libclang-rt-dev  ls "$(clang -print-resource-dir)"/lib/*/libclang_rt.asan*'
        ;;
    esac
}

# What the build can do without, and what it then lacks.
optional_packages() {
    cat <<'END'
libdw-dev        pkg-config --exists libdw
END
}

without_optional() {
    optional_packages | while read -r package probe; do
        is_there "$package" "$probe" ||
            echo "setup: no $package: crash reports will have no lines and no static functions" >&2
    done
}

is_there() {   # PACKAGE PROBE
    test "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ||
        eval "$2" >/dev/null 2>&1
}

missing_packages() {   # packages | optional_packages
    "$1" | while read -r package probe; do
        is_there "$package" "$probe" || printf ' %s' "$package"
    done
}

give_up() {
    echo "setup: these packages are missing:$missing" >&2
    echo "setup: they can't be installed from here: $1" >&2
    exit 1
}

install_packages() {
    missing=$(missing_packages packages)
    test -n "$missing" || return 0

    command -v apt-get >/dev/null || give_up 'no apt-get (they have the names that Debian gives them)'
    as_root=''
    if test "$(id -u)" != 0; then
        sudo -n true 2>/dev/null || give_up 'neither root nor sudo without a password'
        as_root='sudo -n'
    fi
    optional=$(missing_packages optional_packages)
    echo "setup: installing$missing$optional"
    # $missing, $optional and $as_root are lists of words, what is in quotes is for sh
    # shellcheck disable=SC2016,SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive ARCHITECTURE="${AARCH64:+arm64}" sh -c '
        { test -z "$ARCHITECTURE" || dpkg --add-architecture "$ARCHITECTURE"; } &&
        apt-get -q update &&
        apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
        ' apt-get $missing $optional </dev/null || give_up 'apt-get failed'
    missing=$(missing_packages packages)
    test -z "$missing" || give_up 'still not there after apt-get'
}

# What a build directory depends on; when it changes the directory is made anew.
describe_setup() {
    echo "source $(pwd -P)"
    echo "meson $(meson --version)"
    echo "CC ${CC:-} CFLAGS ${CFLAGS:-} LDFLAGS ${LDFLAGS:-}"
    echo "options $*"
}

set_up_build() {
    directory=$1
    shift
    stamp=$directory/setup.stamp
    if test -f "$directory/build.ninja" &&
        test "$(describe_setup "$@")" = "$(cat "$stamp" 2>/dev/null)"; then
        return 0
    fi
    # An older or half-made build directory is replaced; anything else is not ours to remove.
    if test -d "$directory/meson-private"; then
        rm -rf "$directory"
    fi
    without_optional
    meson setup "$@" "$directory"
    describe_setup "$@" >"$stamp"
}

cd "$(dirname "$0")/.."
install_packages
if test $# -gt 0; then
    set_up_build "$@"
fi
