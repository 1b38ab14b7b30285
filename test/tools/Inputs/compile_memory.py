"""compile_memory.py SDC FOLDER: the memory that a compilation takes at its peak, against the size of the model's file.
Fails beyond 2.5 times that size, after what the process takes for a model without weights.
compile_memory.py FOLDER NAME SIZE...: writes FOLDER/NAME.onnx, dense layers. A process of its own, since a child's peak
begins with its parent's."""
import os
import subprocess
import sys

MOST = 2.5


def write(path, sizes):
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    rng = np.random.default_rng(1)
    nodes, weights, value = [], [], "x"
    for i, (rows, columns) in enumerate(zip(sizes[1:], sizes)):
        w = rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(np.sqrt(columns))
        weights.append(numpy_helper.from_array(w, f"w{i}"))
        nodes.append(helper.make_node("Gemm", [value, f"w{i}"], [f"g{i}"], transB=1))
        nodes.append(helper.make_node("Relu", [f"g{i}"], [f"r{i}"]))
        value = f"r{i}"
    graph = helper.make_graph(
        nodes, "layers", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", sizes[0]])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["N", sizes[-1]])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)


def make(folder, name, sizes):
    subprocess.run([sys.executable, __file__, folder, name, *map(str, sizes)], check=True)
    return os.path.getsize(f"{folder}/{name}.onnx")


def peak(sdc, folder, name):  # bytes
    pid = os.posix_spawn(sdc, [sdc, "compile", f"{folder}/{name}.onnx", "-o", f"{folder}/{name}.sdb",
                               "--input-range", "0,1"], os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{name}: sdc compile ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024


def main(sdc, folder):
    make(folder, "small", [8, 8])
    base = peak(sdc, folder, "small")
    for name, sizes in [("one-large", [64, 16384, 1024, 16]), ("alike", [2048, 2048, 2048, 2048, 2048, 16])]:
        size = make(folder, name, sizes)
        ratio = (peak(sdc, folder, name) - base) / size
        print(f"{name}: {ratio:.2f} times the model's {size} bytes")
        if ratio > MOST:
            sys.exit(f"{name}: more than {MOST} times the model's size")


if len(sys.argv) == 3:
    main(*sys.argv[1:])
else:
    write(f"{sys.argv[1]}/{sys.argv[2]}.onnx", [int(size) for size in sys.argv[3:]])
