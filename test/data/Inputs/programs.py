"""Programs that give the mean of an image, and how sdc prepares files for them."""
import json
import subprocess

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def compile(work, sdc, name, shape, image):
    """`shape` without the batch; `image` is the schema's, or None for a program without one."""
    size = int(np.prod(shape))
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])], name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(np.full((size, 1), 1 / size, np.float32), "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, f"{work}/{name}.onnx")
    command = [sdc, "compile", f"{work}/{name}.onnx", "-o", f"{work}/{name}.sdb"]
    if image:
        with open(f"{work}/{name}.json", "w") as file:
            json.dump({"inputs": [{"name": "x", "image": image}],
                       "outputs": [{"name": "y", "values": ["mean"]}]}, file)
        command += ["--schema", f"{work}/{name}.json"]
    else:
        command += ["--input-range", "0,1"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


class Preparer:
    def __init__(self, work, sdc):
        self.work, self.sdc = work, sdc

    def run(self, program, *inputs, flags=(), stdin=None):
        """Exit code, what was written, what was said."""
        command = [self.sdc, "prepare-records", f"{self.work}/{program}.sdb", "-o", f"{self.work}/out.npy", *flags]
        for each in inputs:
            command += ["--input", each]
        done = subprocess.run(command, capture_output=True, input=stdin)
        said = done.stderr.decode()
        assert done.returncode in (0, 2, 3), f"{inputs}: exit code {done.returncode}: {said}"
        return done.returncode, np.load(f"{self.work}/out.npy") if done.returncode == 0 else None, said

    def numbers(self, program, *inputs, flags=(), stdin=None):
        code, numbers, said = self.run(program, *inputs, flags=flags, stdin=stdin)
        assert code == 0, f"{inputs}: {said}"
        return numbers

    def refused(self, cause, program, *inputs, flags=(), exit=3):
        code, _, said = self.run(program, *inputs, flags=flags)
        assert code == exit and cause in said, f"{inputs}: expected '{cause}', exit code {code}: {said}"
