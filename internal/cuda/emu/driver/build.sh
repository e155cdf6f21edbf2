#!/usr/bin/env bash
# build.sh DIR: the emulated driver as DIR/libcuda.so.1. Needs g++. Compiles each source of kernels on its own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kernels=$here/../../kernels
out=$1
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-std=c++17 -O2 -ffp-contract=off -fPIC -fvisibility=hidden -w "-I$here")
if [ "$(uname -m)" = x86_64 ]; then
  flags+=(-mfma -mavx2) # kernels ask for fused multiply-adds
fi
g++ "${flags[@]}" -c "$here/driver.cpp" -o "$work/driver.o"
for source in "$kernels"/*.cu; do
  name=$(basename "$source" .cu)
  {
    echo "#include \"host.h\""
    for h in common activation tile; do echo "#include \"$kernels/$h.cuh\""; done
    echo "#include \"$source\""
    grep -oE '\.entry +\w+' "$kernels/$name.ptx" | awk '{print "EMU_REGISTER(" $2 ")"}'
  } >"$work/$name.cpp"
  g++ "${flags[@]}" -c "$work/$name.cpp" -o "$work/$name.o"
done
g++ -shared -o "$work/libcuda.so.1" -Wl,-soname,libcuda.so.1 "$work"/*.o
mv "$work/libcuda.so.1" "$out/libcuda.so.1"
