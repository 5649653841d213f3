# Shared by bin/demo and bin/test; sourced, never run.
#
#   find_python  ->  make_venv  ->  install  ->  $VENV/bin/... is ready
#
# Sets ROOT (this checkout) and VENV (its environment). With SETUP_VENV set, that
# environment is used as it is and nothing is installed: only this checkout's src is
# put in front of it.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
VENV=${SETUP_VENV:-$ROOT/.venv}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { printf '%s\n' "$*" >&2; }
die() { printf '%s\n' "$@" >&2; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }

# Runs the candidate: a pyenv shim may be on the PATH and still refuse to start.
python_works() { # python_works COMMAND
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

can_make_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# The newest Python that works and can make an environment, else the newest that works.
find_python() {
  local name first=""
  for name in ${SETUP_PYTHON:-python3.13 python3.12 python3.11 python3}; do
    python_works "$name" || continue
    first=${first:-$name}
    if can_make_venv "$name"; then echo "$name"; return; fi
  done
  [ -n "$first" ] || die "Carboy needs Python 3.11 or newer; none of ${SETUP_PYTHON:-python3.13, 3.12, 3.11, python3} runs." \
    "On Debian or Ubuntu: apt-get install python3 python3-venv"
  echo "$first"
}

apt_install() { # apt_install PACKAGE...
  say "Installing Debian packages: $*"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
    >/dev/null 2>"$ROOT/.cache/apt.log" || { tail -n 5 "$ROOT/.cache/apt.log" >&2; return 1; }
}

# Debian ships the venv module without ensurepip until python3.X-venv is there.
need_venv_module() { # need_venv_module PYTHON
  can_make_venv "$1" && return
  local package
  package=$("$1" -c 'import sys; print(f"python3.{sys.version_info[1]}-venv")')
  if is_root && command -v apt-get >/dev/null; then
    apt_install "$package" || die "Could not install $package; install it by hand and run this again."
  else
    die "$1 cannot make virtual environments: the package $package is missing." \
      "Install it and run this again: sudo apt-get install $package"
  fi
}

# An environment holds absolute paths, so one that was moved is made anew.
make_venv() { # make_venv DIRECTORY [PYTHON]
  if python_works "$1/bin/python" && grep -qsF -- "$1" "$1/bin/activate"; then return; fi
  local python=${2:-}
  [ -n "$python" ] || python=$(find_python)
  need_venv_module "$python"
  say "Making ${1#"$ROOT"/} with $("$python" --version)"
  rm -rf "$1"
  "$python" -m venv "$1"
}

# What an environment was made from; it is made again when, and only when, this changes.
fingerprint() { # fingerprint DIRECTORY WHAT
  { cat "$ROOT/pyproject.toml" "$ROOT"/requirements/{runtime,build,test}.txt
    "$1/bin/python" -VV; echo "$ROOT" "$2"; } | sha256sum | cut -d' ' -f1
}

# WHAT is "runtime" or "test"; an environment for tests serves the demo too.
install() { # install DIRECTORY WHAT
  local stamp=$1/carboy-$2.stamp
  [ "$(cat "$stamp" 2>/dev/null)" = "$(fingerprint "$1" "$2")" ] && return
  if [ "$2" = runtime ] && [ "$(cat "$1/carboy-test.stamp" 2>/dev/null)" = "$(fingerprint "$1" test)" ]; then return; fi
  say "Installing what requirements/$2.txt names (once; later runs need no network)"
  "$1/bin/python" -m pip install -qq -r "$ROOT/requirements/build.txt" -r "$ROOT/requirements/$2.txt" \
    || die "pip could not install the requirements: see the lines above. Is the package index reachable?"
  "$1/bin/python" -m pip install -qq --no-deps --no-build-isolation -e "$ROOT"
  fingerprint "$1" "$2" >"$stamp"
}

# One set-up at a time: two terminals may start bin/test and bin/demo together.
set_up() { # set_up WHAT
  mkdir -p "$ROOT/.cache"
  if [ -n "${SETUP_VENV:-}" ]; then
    export PYTHONPATH="$ROOT/src${PYTHONPATH:+:$PYTHONPATH}"
    return
  fi
  exec 9>"$ROOT/.cache/setup.lock"
  flock 9
  make_venv "$VENV"
  install "$VENV" "$1"
  exec 9>&-
}
