#!/usr/bin/env bash
# build.sh DIR [SOURCE.cu PTX]... builds the emulated driver as DIR/libcuda.so.1, with package cuda's kernels and those of the given sources.
# Needs g++. Each source of kernels is compiled by itself. With GOLINE_EMULATED_SANITIZED the driver has AddressSanitizer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kernels=$here/../../kernels
out=$1
shift
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-std=c++17 -O3 -ffp-contract=off -fPIC -fvisibility=hidden -pthread -w "-I$here")
if [ "$(uname -m)" = x86_64 ]; then
  flags+=(-mfma -mavx2 -mtls-dialect=gnu2) # kernels ask for fused multiply-adds, and for variables of a thread in their loops
fi
if [ -n "${GOLINE_EMULATED_SANITIZED:-}" ]; then
  flags+=(-O1 -fsanitize=address -fsanitize-recover=address) # a report, then the kernel goes on and the launch fails
fi
compile() { # name source ptx headers...
  local name=$1 source=$2 ptx=$3
  shift 3
  {
    echo "#include \"host.h\""
    for h in "$@"; do echo "#include \"$kernels/$h.cuh\""; done
    echo "#include \"$source\""
    grep -oE '\.entry +\w+' "$ptx" | awk '{print "EMU_REGISTER(" $2 ")"}'
  } >"$work/$name.cpp"
  g++ "${flags[@]}" -c "$work/$name.cpp" -o "$work/$name.o"
}
# As many commands at once as there are processors: later starts one, finish waits for the one that was started first.
running=()
finish() {
  wait "${running[0]}"
  running=("${running[@]:1}")
}
later() {
  if [ "${#running[@]}" -ge "$(nproc)" ]; then finish; fi
  "$@" &
  running+=($!)
}
for part in driver run bindings; do
  later g++ "${flags[@]}" -c "$here/$part.cpp" -o "$work/$part.o"
done
for source in "$kernels"/*.cu; do
  name=$(basename "$source" .cu)
  later compile "kernels-$name" "$source" "$kernels/$name.ptx" common activation tile mma conv matrix
done
while [ $# -gt 0 ]; do
  later compile "more-$(basename "$1" .cu)" "$1" "$2"
  shift 2
done
while [ "${#running[@]}" -gt 0 ]; do finish; done
g++ "${flags[@]}" -shared -o "$work/libcuda.so.1" -Wl,-soname,libcuda.so.1 "$work"/*.o
mv "$work/libcuda.so.1" "$out/libcuda.so.1"
