"""small_files.py SDC DIR SIZE...: files of a few hundred bytes that describe much. Each compiles, or is refused with a message
that names the node or input, within so much processor time, address space and resident memory."""
import os
import resource
import subprocess
import sys

SECONDS, ADDRESSES, RESIDENT = 30, 6 << 30, 1200 << 20
IMAGE, WEIGHT, QUAD = "float[1,1,8,8] x", "float[1,1,1,1] w = {0.5}", "float[1,1,2,2] w = {1, 2, 3, 4}"
ROW = "float[1,4] x"
SUM = "s = ReduceSum <keepdims = 0> (c) y = Mul(x, s)"


def ints(name, *values):
    return f"int64[{len(values)}] {name} = {{{', '.join(map(str, values))}}}"


def cases(n):
    """(name, inputs, constants, nodes, opset) with a size of n somewhere."""
    pads = f"pads = [{n}, {n}, {n}, {n}]"
    window = f"kernel_shape = [{n}, {n}], pads = [{n - 1}, {n - 1}, {n - 1}, {n - 1}]"
    yield "convt-stride", IMAGE, WEIGHT, f"y = ConvTranspose <strides = [{n}, {n}]> (x, w)", 13
    yield "convt-padding", IMAGE, WEIGHT, f"y = ConvTranspose <strides = [2, 2], output_padding = [{n}, {n}]> (x, w)", 13
    yield "convt-shape", IMAGE, WEIGHT, f"y = ConvTranspose <output_shape = [{n}, {n}]> (x, w)", 13
    yield "convt-dilation", IMAGE, QUAD, f"y = ConvTranspose <dilations = [{n}, {n}]> (x, w)", 13
    yield "conv-pads", IMAGE, WEIGHT, f"y = Conv <{pads}> (x, w)", 13
    yield "conv-dilation", IMAGE, QUAD, f"y = Conv <dilations = [{n}, {n}], {pads}> (x, w)", 13
    yield "conv-stride", IMAGE, WEIGHT, f"y = Conv <strides = [{n}, {n}]> (x, w)", 13
    yield "maxpool", IMAGE, "", f"y = MaxPool <{window}> (x)", 13
    yield "avgpool", IMAGE, "", f"y = AveragePool <{window}> (x)", 13
    yield "lrn", IMAGE, "", f"y = LRN <size = {n}> (x)", 13
    for mode in ("constant", "edge", "reflect"):
        yield f"pad-{mode}", IMAGE, ints("p", 0, 0, n, n, 0, 0, n, n), f'q = Pad <mode = "{mode}"> (x, p) y = Relu(q)', 13
    yield "tile", IMAGE, ints("n", 1, 1, n, n), "q = Tile(x, n) y = Relu(q)", 13
    yield "expand", "float[1,1] x", ints("n", n, n), "q = Expand(x, n) y = Relu(q)", 13
    for mode in ("nearest", "linear", "cubic"):
        yield f"resize-{mode}", IMAGE, ints("n", 1, 1, n, n), f'q = Resize <mode = "{mode}"> (x, , , n) y = Relu(q)', 13
    yield "upsample", IMAGE, f"float[4] s = {{1, 1, {n}.0, {n}.0}}", "q = Upsample(x, s) y = Relu(q)", 9
    yield "onehot", ROW, f"int64 d = {{{n}}}, float[2] v = {{0, 1}}", "a = ArgMax(x) y = OneHot(a, d, v)", 13
    yield "onehot-constant", ROW, f"{ints('i', 3)}, int64 d = {{{n}}}, float[2] v = {{0, 1}}", f"c = OneHot(i, d, v) {SUM}", 13
    yield "constant", ROW, ints("n", n, n), "c = ConstantOfShape(n) y = Add(x, c)", 13
    yield "range", "float[1,1] x", f"float a = {{0}}, float b = {{{n}.0}}, float d = {{1}}", "c = Range(a, b, d) y = Add(x, c)", 13
    yield "gather", ROW, ints("n", n), "z = ConstantOfShape <value = int64[1] {1}> (n) g = Gather <axis = 1> (x, z) y = Relu(g)", 13
    yield "eye", ROW, ints("n", n, n), f"z = ConstantOfShape(n) c = EyeLike(z) {SUM}", 13
    yield "blocks", IMAGE, "", f"y = DepthToSpace <blocksize = {n}> (x)", 13
    for op, more in (("Tile", ""), ("Expand", "")):
        yield f"constant-{op}", ROW, f"float[1,1] o = {{1}}, {ints('n', n, n)}", f"c = {op}(o, n) {SUM}", 13
    yield "constant-product", ROW, ints("n", n, n), f"a = ConstantOfShape(n) c = MatMul(a, a) {SUM}", 13
    yield "input", f"float[1,{n}] x", "", "y = Relu(x)", 13
    yield "outer", f"float[{n},1] x", "", "t = Transpose(x) y = Add(t, x)", 13
    yield "grid", IMAGE, f"float[1,1,1,2] o = {{0, 0}}, {ints('n', 1, n, n, 2)}", "e = Expand(o, n) y = GridSample(x, e)", 16


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))


def main(sdc, folder, sizes):
    wrong = 0
    for n in sizes:
        for name, inputs, constants, nodes, opset in cases(n):
            path = f"{folder}/{name}-{n}.onnxtext"
            with open(path, "w", encoding="utf-8") as file:
                file.write(f'<ir_version: 8, opset_import: ["" : {opset}]>\nm ({inputs}) => (float y)\n')
                file.write((f"<{constants}> " if constants else "") + f"{{ {nodes} }}\n")
            process = subprocess.Popen([sdc, "compile", path, "-o", f"{folder}/m.sdb", "--input-range", "0,1"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=limit)
            said = process.stderr.read().decode()
            _, status, used = os.wait4(process.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            named = code == 0 or (code == 3 and ("node '" in said or "input 'x'" in said or "error: " in said))
            if not named or used.ru_maxrss << 10 > RESIDENT:
                wrong += 1
                print(f"{name} of {n}: exit code {code}, {used.ru_maxrss >> 10} MiB: {said[-500:]}", flush=True)
    sys.exit(wrong > 0)


main(sys.argv[1], sys.argv[2], [int(n) for n in sys.argv[3:]])
