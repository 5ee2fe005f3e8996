# Shared by the scripts: where we are, how we speak, what has to be installed. Sourced, not run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
jobs=${BUSBAR_JOBS:-$(nproc)}
export CCACHE_DIR=${CCACHE_DIR:-$root/.cache/ccache}

say() { printf '==> %s\n' "$*"; }

# Debian packages, by what needs them.
packages_build="g++ cmake ninja-build ccache pkg-config ca-certificates git
  libboost1.81-dev libssl-dev libxerces-c-dev libpugixml-dev libpoco-dev libspdlog-dev libfmt-dev zlib1g-dev libjemalloc-dev libqpid-proton11-dev"
packages_sample="nodejs npm python3 python3-stomp python3-zeep"
packages_jms="libactivemq-java libbtm-java libgeronimo-jta-1.2-spec-java libspring-jms-java libspring-aop-java libcommons-logging-java libaopalliance-java
  default-jdk-headless"
packages_test="tzdata libcppunit-dev python3-qpid-proton libqpid-proton-cpp12-dev chromium clang-format clang-tidy curl openssl python3-requests $packages_sample $packages_jms"

# install PACKAGE...: what is missing, with apt, as root or through sudo.
install() {
    local missing=() p
    for p in "$@"; do
        # A command that came another way (a newer node, say) is as good.
        case $p in nodejs) command -v node >/dev/null && continue ;; npm) command -v npm >/dev/null && continue ;; esac
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    say "installing ${missing[*]}"
    local sudo=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "these packages are missing and there is no sudo: ${missing[*]}" >&2; exit 1; }
        sudo=sudo
    fi
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# build DIR TARGETS... -- CMAKE-ARGS...: configures where needed, then builds.
build() {
    local dir=$1 targets=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do targets+=("$1"); shift; done
    [ $# -gt 0 ] && shift
    [ -f "$dir/build.ninja" ] && [ $# -eq 0 ] || cmake -S "$root" -B "$dir" -G Ninja "$@" >"$dir.log" 2>&1 ||
        { cat "$dir.log" >&2; exit 1; }
    ninja -C "$dir" -j "$jobs" "${targets[@]}"
}
