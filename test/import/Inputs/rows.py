# Networks whose first axis is dynamic, each as NAME.onnxtext in the folder that is given.
import sys

NETS = {
    # rows are records
    "mlp": ("float[N, 4] x", "float[N, 2] y", """
  w = Constant <value = float[4, 2] {1, -2, 3, 4, -5, 6, 7, 8}> ()
  b = Constant <value = float[2] {1, 2}> ()
  h = Gemm (x, w, b)
  r = Relu (h)
  y = Softmax <axis = 1> (r)"""),
    "merged": ("float[N, 3, 2] x", "float[N, 3] y", """
  rows = Constant <value = int64[2] {-1, 2}> ()
  back = Constant <value = int64[2] {-1, 3}> ()
  w = Constant <value = float[2, 1] {1, -2}> ()
  a = Reshape (x, rows)
  b = MatMul (a, w)
  y = Reshape (b, back)"""),
    "turned": ("float[N, 3, 2] x", "float[3, N, 2] y", """
  a = Transpose <perm = [1, 0, 2]> (x)
  y = CumSum (a, zero)
  zero = Constant <value = int64[1] {0}> ()"""),
    "attention": ("float[N, 3, 2] x", "float[N, 3, 2] y", """
  t = Transpose <perm = [0, 2, 1]> (x)
  s = MatMul (x, t)
  p = Softmax <axis = 2> (s)
  y = MatMul (p, x)"""),
    "window": ("float[N, 1, 4, 4] x", "float[N, 2] y", """
  w = Constant <value = float[2, 1, 3, 3] {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1}> ()
  c = Conv <pads = [1, 1, 1, 1]> (x, w)
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (c)
  g = GlobalAveragePool (p)
  y = Flatten (g)"""),
    # rows are none
    "mean": ("float[N, 3] x", "float[1, 3] y", """
  y = ReduceMean <axes = [0]> (x)"""),
    "softmax": ("float[N, 3] x", "float[N, 3] y", """
  y = Softmax <axis = 0> (x)"""),
    "sums": ("float[N, 3] x", "float[N, 3] y", """
  zero = Constant <value = int64[1] {0}> ()
  a = Relu (x)
  y = CumSum (a, zero)"""),
    "neighbours": ("float[N, 3] x", "float[N, 3] y", """
  order = Constant <value = int64[3] {-1, 1, 3}> ()
  axis = Constant <value = int64[2] {0, 1}> ()
  w = Constant <value = float[1, 1, 3, 1] {1, 2, 3}> ()
  a = Unsqueeze (x, axis)
  b = Conv <pads = [1, 0, 1, 0]> (a, w)
  y = Squeeze (b, axis)"""),
    "recurrent": ("float[T, 1, 2] x", "float[1, 1, 1] h", """
  w = Constant <value = float[1, 1, 2] {1, 2}> ()
  r = Constant <value = float[1, 1, 1] {0.5}> ()
  y, h = RNN <hidden_size = 1> (x, w, r)"""),
    # the model's own shapes fix the batch
    "one": ("float[N, 4] x", "float[1, 2, 2] y", """
  s = Constant <value = int64[3] {1, 2, 2}> ()
  y = Reshape (x, s)"""),
    "four": ("float[N, 4] x", "float[4, 2, 2] y", """
  s = Constant <value = int64[3] {4, 2, 2}> ()
  y = Reshape (x, s)"""),
    # other dynamic axes
    "image": ("float[N, 1, H, W] x, float[N, H] z", "float[N, K] y", """
  a = Flatten (x)
  y = Concat <axis = 1> (a, z)"""),
}
for name, (inputs, outputs, nodes) in NETS.items():
    with open(f"{sys.argv[1]}/{name}.onnxtext", "w") as file:
        file.write(f'<ir_version: 8, opset_import: ["" : 13]>\n{name} ({inputs}) => ({outputs}) {{{nodes}\n}}\n')
