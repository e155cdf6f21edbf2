#!/usr/bin/env python3
"""build.py: compiles the kernels beside it to PTX and writes what they were made of to kernels.sum.
build.py SOURCE.cu PTX: compiles another source, as it is.

Needs no card and no driver, but NVRTC: pip install nvidia-cuda-nvrtc-cu12==12.4.127, or its library's path in NVRTC.
PTX for compute capability 7.0 runs on every card since Volta: the driver compiles it for the card at hand. What needs a later card is
in sources of its own. Products in tiles ask for fused multiply-adds themselves; elsewhere every operation rounds, as it does in the
emulated driver.
"""
import ctypes, glob, hashlib, os, sys

HEADERS = ["common.cuh", "activation.cuh", "tile.cuh", "mma.cuh", "conv.cuh", "matrix.cuh"]
OPTIONS = ["--fmad=false", "--std=c++17"]
CAPABILITIES = {"tensor.cu": "compute_80"}  # compute_70 for all others


def library():
    for pattern in [os.environ.get("NVRTC", ""), *[p + "/nvidia/*/lib/libnvrtc.so.1?" for p in sys.path]]:
        for path in glob.glob(pattern):
            return ctypes.CDLL(path)
    sys.exit("no libnvrtc: pip install nvidia-cuda-nvrtc-cu12==12.4.127, or set NVRTC")


def compile(lib, source, name):
    """compile returns PTX without the comments of the compiler's build, which would change without the code."""
    options = OPTIONS + ["--gpu-architecture=" + CAPABILITIES.get(name, "compute_70")]
    program, size = ctypes.c_void_p(), ctypes.c_size_t()

    def check(code):
        if code:
            sys.exit(f"{name}: NVRTC error {code}")

    check(lib.nvrtcCreateProgram(ctypes.byref(program), source.encode(), name.encode(), 0, None, None))
    failed = lib.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*[o.encode() for o in options]))
    check(lib.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
    log = ctypes.create_string_buffer(size.value)
    check(lib.nvrtcGetProgramLog(program, log))
    if log.value.strip():
        print(log.value.decode(), file=sys.stderr)
    if failed:
        sys.exit(1)
    check(lib.nvrtcGetPTXSize(program, ctypes.byref(size)))
    ptx = ctypes.create_string_buffer(size.value)
    check(lib.nvrtcGetPTX(program, ptx))
    return "\n".join(l for l in ptx.value.decode().split("\n") if l and not l.startswith("//")) + "\n"


def main():
    lib = library()
    if len(sys.argv) == 3:
        source, to = sys.argv[1:]
        open(to, "w").write(compile(lib, open(source).read(), os.path.basename(source)))
        return
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    head = "".join(f'#line 1 "{h}"\n' + open(h).read() for h in HEADERS)
    sources = sorted(glob.glob("*.cu"))
    for s in sources:
        ptx = compile(lib, "#define INFINITY __int_as_float(0x7f800000)\n#define NAN __int_as_float(0x7fffffff)\n" + head + f'#line 1 "{s}"\n' + open(s).read(), s)
        open(s[:-3] + ".ptx", "w").write(ptx)
    names = sorted(HEADERS + sources + ["build.py"] + [s[:-3] + ".ptx" for s in sources])
    with open("kernels.sum", "w") as out:
        for n in names:
            out.write(f"{hashlib.sha256(open(n, 'rb').read()).hexdigest()}  {n}\n")


main()
