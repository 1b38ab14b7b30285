"""chains.py KIND N: a model in ONNX's text form whose graph has some N nodes of one kind, to standard output.

Compilation must take time in proportion to N: each kind is one that a pass walks from every op again, or in which ops
join one by one, if it is written carelessly.
"""
import sys

HEAD = '<ir_version: 8, opset_import: ["" : 13]>\n'


def chain(step, shape="1,4", weights="", first="x"):
    """x -> step -> step ...: `step` gives node text from (input name, output name, number)."""
    def graph(n):
        nodes, value = [], first
        for i in range(n):
            nodes.append(step(value, f"v{i}", i))
            value = f"v{i}"
        return shape, weights, nodes, value
    return graph


def ends(graph, tail, start=""):
    """A graph with nodes before its first op and behind its last value."""
    def more(n):
        shape, weights, nodes, value = graph(n)
        return shape, weights, ([start] if start else []) + nodes + [tail.format(value)], "end"
    return more


def sumOfCopies(n):
    nodes = [f"m{i} = Constant <value_float = {1 + i % 7}.5> () c{i} = Mul(x, m{i})" for i in range(n)]
    nodes += [f"s{i} = Add({'c0' if i == 1 else f's{i - 1}'}, c{i})" for i in range(1, n)]
    return "1,4", "", nodes, f"s{n - 1}"


def wideSum(n):
    nodes = [f"c{i} = Relu(x)" for i in range(n)]
    nodes.append(f"s = Sum({', '.join(f'c{i}' for i in range(n))})")
    return "1,4", "", nodes, "s"


def wideConcat(n):
    return "1,4", "", [f"s = Concat <axis = 1> ({', '.join(['x'] * n)}) t = Relu(s)"], "t"


def tree(n):
    values, nodes = ["x"] * n, []
    while len(values) > 1:
        joined = []
        for a, b in zip(values[::2], values[1::2]):
            joined.append(f"t{len(nodes)}")
            nodes.append(f"{joined[-1]} = Add({a}, {b})")
        values = joined + values[len(joined) * 2:]
    return "1,4", "", nodes, values[0]


POOL = "<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>"
CONV = "float[1,1,1,1] w = {0.5}, float[1] g = {1.0}, float[1] h = {0.125}"
GEMM = "float[4,4] w = {1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1}, float[1,4] c = {1,2,3,4}"
neg = chain(lambda a, b, i: f"{b} = Neg({a})")
KINDS = {
    "neg": neg,
    "neg-gemm": ends(chain(lambda a, b, i: f"{b} = Neg({a})", weights=GEMM), "end = MatMul({}, w)"),
    "gemm-neg": ends(chain(lambda a, b, i: f"{b} = Neg({a})", weights=GEMM, first="v"), "end = Relu({})",
                     "v = MatMul(x, w)"),
    "add": chain(lambda a, b, i: f"{b} = Add({a}, c)", weights=GEMM),
    "double": chain(lambda a, b, i: f"{b} = Add({a}, {a})"),
    "abs": chain(lambda a, b, i: f"{b} = Abs({a})"),
    "clip": chain(lambda a, b, i: f"{b} = Clip({a}, l, u)", weights="float l = {0}, float u = {6}"),
    "relu-add": chain(lambda a, b, i: f"r{i} = Relu({a}) {b} = Add(r{i}, x)"),
    "relu-add-constant": chain(lambda a, b, i: f"r{i} = Relu({a}) {b} = Add(r{i}, c)", weights=GEMM),
    "tanh": chain(lambda a, b, i: f"{b} = Tanh({a})"),
    "sigmoid": chain(lambda a, b, i: f"{b} = Sigmoid({a})"),
    "swish": chain(lambda a, b, i: f"g{i} = Sigmoid({a}) {b} = Mul(g{i}, {a})"),
    "gemm": chain(lambda a, b, i: f"{b} = MatMul({a}, w)", weights=GEMM),
    "identity": ends(chain(lambda a, b, i: f"{b} = Identity({a})"), "end = Relu({})"),
    "reshape": ends(chain(lambda a, b, i: f"{b} = Reshape({a}, {'ab'[i % 2]})",
                          weights="int64[2] a = {4,1}, int64[2] b = {2,2}"), "end = Relu({})"),
    "transpose": ends(chain(lambda a, b, i: f"{b} = Transpose <perm = [{'1, 2, 0' if i % 2 else '0, 2, 1'}]> ({a})",
                            shape="2,3,4"), "end = Relu({})"),
    "pad-conv": ends(chain(lambda a, b, i: f"{b} = Pad({a}, p)", shape="1,1,2,2",
                           weights=CONV + ", int64[8] p = {0,0,0,0, 0,0,0,1}"), "end = Conv({}, w)"),
    "norm": ends(chain(lambda a, b, i: f"{b} = BatchNormalization({a}, g, h, h, g)", shape="1,1,2,2", weights=CONV,
                       first="v"), "end = Relu({})", "v = Conv(x, w)"),
    "max": ends(chain(lambda a, b, i: f"{b} = MaxPool {POOL} ({a})", shape="1,1,2,2", first="v"), "end = Relu({})",
                "v = Relu(x)"),
    "average": ends(chain(lambda a, b, i: f"{b} = AveragePool <kernel_shape = [1, 1]> ({a})", shape="1,1,2,2",
                          weights=CONV), "end = Conv({}, w)"),
    "sum-of-copies": sumOfCopies,
    "wide-sum": wideSum,
    "wide-concat": wideConcat,
    "tree": tree,
}


def text(kind, count):
    shape, weights, nodes, last = KINDS[kind](count)
    constants = f"\n<{weights}>\n" if weights else " "
    body = "\n".join(nodes)
    return f"{HEAD}g (float[{shape}] x) => (float y){constants}{{\n{body}\ny = Identity({last})\n}}\n"


if __name__ == "__main__":
    print(text(sys.argv[1], int(sys.argv[2])), end="")
