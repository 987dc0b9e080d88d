# shellcheck shell=bash
# Functions that the scripts share. Sourced, in the repository's root.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Puts swift on PATH if it is not; fails if there is none.
find_swift() {
    command -v swift >/dev/null && return
    [[ -x /opt/swift/usr/bin/swift ]] || return
    export PATH="/opt/swift/usr/bin:$PATH"
}
