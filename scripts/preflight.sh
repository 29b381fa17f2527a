#!/bin/sh
# Looks for what `make setup` needs and cannot install: git, a C++ compiler, Python 3.11 or 3.12 with venv.
# Names everything that is missing at once; otherwise prints the Python to use. $PYTHON names one to try first.

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))'
missing=0

complain() {
    echo "missing: $1" >&2
    echo "  remedy: $2" >&2
    missing=1
}

command -v git >/dev/null 2>&1 ||
    complain "git, which DVC and the run records need" "install git (Debian, Ubuntu: apt-get install git)"

command -v "${CXX:-c++}" >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 || command -v clang++ >/dev/null 2>&1 ||
    complain "a C++ compiler, which DeepSpeed's operators are built with" \
        "install g++ or clang++ (Debian, Ubuntu: apt-get install g++), or name yours in CXX"

python=
seen=
for candidate in ${PYTHON:-} python3.11 python3.12 python3 python; do
    version=$("$candidate" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
    if "$candidate" -c "$supported" 2>/dev/null; then
        python=$candidate
        break
    fi
    seen="$seen $candidate is $version;"
done

if [ -z "$python" ]; then
    complain "Python 3.11 or 3.12 (found:${seen:- none})" \
        "install Python 3.11, or name one that is not on PATH: make setup PYTHON=/path/to/python3.11"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    complain "the venv module of $python" "install it (Debian, Ubuntu: apt-get install python3-venv python3.11-venv)"
fi

[ "$missing" -eq 0 ] || exit 1
echo "$python"
