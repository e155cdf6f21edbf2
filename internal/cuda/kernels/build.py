#!/usr/bin/env python3
"""build.py: compiles the kernels beside it to PTX and writes what they were made of to kernels.sum.
build.py SOURCE.cu PTX: compiles another source, as it is.

Needs no card and no driver, but NVRTC and NVIDIA's assembler, ptxas: pip install -r .ci/cuda.txt, or their paths in NVRTC and PTXAS.
PTX for compute capability 7.0 runs on every card since Volta: the driver compiles it for the card at hand. What needs a later card is
in sources of its own. NVRTC writes the version of PTX that came with it, which drivers older than NVRTC refuse whatever the PTX
contains. So the version is lowered to the first for which the assembler takes it. Products in tiles ask for fused multiply-adds
themselves; elsewhere every operation rounds, as it does in the emulated driver.
"""
import ctypes, glob, hashlib, os, re, subprocess, sys

HEADERS = ["common.cuh", "activation.cuh", "tile.cuh", "mma.cuh", "conv.cuh", "matrix.cuh"]
OPTIONS = ["--fmad=false", "--std=c++17"]
CAPABILITIES = {"tensor.cu": "compute_80"}  # compute_70 for all others
VERSIONS = ["6.0", "6.1", "6.2", "6.3", "6.4", "6.5", "7.0"]  # of PTX, from the first that has compute_70 to that of CUDA 11.0


def find(variable, name):
    """find returns the path that the environment variable holds or, if it holds none, that of a file in an installed package."""
    for pattern in [os.environ.get(variable, ""), *[p + "/nvidia/*/" + name for p in sys.path]]:
        for path in glob.glob(pattern):
            return path
    sys.exit(f"no {os.path.basename(name)}: pip install -r .ci/cuda.txt, or set {variable}")


def oldest(ptxas, name, ptx):
    """oldest returns PTX with the lowest version for which the assembler takes it."""
    target = re.search(r"^\.target (\w+)", ptx, re.M).group(1)
    for version in VERSIONS:
        older = re.sub(r"^\.version .*", ".version " + version, ptx, count=1, flags=re.M)
        done = subprocess.run([ptxas, "-arch", target, "-O0", "-o", os.devnull, "-"], input=older.encode(), capture_output=True)
        if done.returncode == 0:
            return older
    sys.exit(f"{name}: needs a driver newer than CUDA 11.0's: {done.stderr.decode()[:1000]}")


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
    lib = ctypes.CDLL(find("NVRTC", "lib/libnvrtc.so.1?"))
    if len(sys.argv) == 3:
        source, to = sys.argv[1:]
        open(to, "w").write(compile(lib, open(source).read(), os.path.basename(source)))
        return
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    ptxas = find("PTXAS", "bin/ptxas")
    head = "".join(f'#line 1 "{h}"\n' + open(h).read() for h in HEADERS)
    sources = sorted(glob.glob("*.cu"))
    for s in sources:
        ptx = compile(lib, "#define INFINITY __int_as_float(0x7f800000)\n#define NAN __int_as_float(0x7fffffff)\n" + head + f'#line 1 "{s}"\n' + open(s).read(), s)
        open(s[:-3] + ".ptx", "w").write(oldest(ptxas, s, ptx))
    names = sorted(HEADERS + sources + ["build.py"] + [s[:-3] + ".ptx" for s in sources])
    with open("kernels.sum", "w") as out:
        for n in names:
            out.write(f"{hashlib.sha256(open(n, 'rb').read()).hexdigest()}  {n}\n")


main()
