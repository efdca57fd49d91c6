# packages.sh - sourced by ./check and ./quickstart: installs Debian packages.
#
# The machine may be a bare Debian 12: an empty package list, no sudo, nobody at the
# keyboard. What is installed already costs nothing; what is missing is named before it is
# installed. Nothing here asks a question.

# What the build needs.
BUILD_PACKAGES="gcc libc6-dev make autoconf automake libtool pkg-config \
libuv1-dev libmsgpack-dev libyajl-dev libedit-dev libinih-dev"

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -n "$@" </dev/null || sudo "$@"
    else
        die "must run as root, or with sudo installed, to do: $*"
    fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none \
        apt-get -y -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" </dev/null
}

package_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Debian's package lists, from which also the tests take their data.
package_lists_present() { ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; }
need_package_lists() {
    package_lists_present && return
    say "fetching Debian's package lists (apt-get update)"
    apt_get update || die "apt-get update failed"
}

# need_packages NAME...
need_packages() {
    local missing="" package
    for package in "$@"; do
        package_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing Debian packages:$missing"
    need_package_lists
    # Lists that are older than the mirror name files that are gone: fetch them anew, once.
    # shellcheck disable=SC2086
    apt_get install --no-install-recommends $missing >/dev/null && return
    say "installing failed; fetching the package lists anew"
    apt_get update || die "apt-get update failed"
    # shellcheck disable=SC2086
    apt_get install --no-install-recommends $missing >/dev/null ||
        die "could not install:$missing"
}
