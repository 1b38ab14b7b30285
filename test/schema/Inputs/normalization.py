"""normalization.py FOLDER: a network behind (x - mean) / deviation of columns from 0.01 to 1000, its schema and records."""
import random
import sys

random.seed(3)
folder = sys.argv[1]
sizes = [0.01, 1, 30, 1000]
text = lambda numbers: "{" + ", ".join(f"{v:.6g}" for v in numbers) + "}"
means, deviations = [0.5 * s for s in sizes], [0.2 * s for s in sizes]
weights = [random.uniform(-1, 1) for _ in range(16)]
with open(folder + "/net.onnxtext", "w") as out:
    out.write(f"""<ir_version: 8, opset_import: ["" : 13]>
net (float[1, 4] x) => (float[1, 2] y)
<float[4] m = {text(means)}, float[4] d = {text(deviations)}, float[4, 4] w = {text(weights)},
 float[4, 2] v = {text(weights[:8])}> {{
  centred = Sub (x, m)
  normal = Div (centred, d)
  h = MatMul (normal, w)
  r = Relu (h)
  y = MatMul (r, v)
}}
""")
columns = ", ".join(f'{{"name": "c{i}", "range": [0, {s}]}}' for i, s in enumerate(sizes))
with open(folder + "/s.json", "w") as out:
    out.write(f'{{"inputs": [{{"name": "x", "columns": [{columns}]}}]}}')
with open(folder + "/x.csv", "w") as out:
    out.write("c0,c1,c2,c3\n")
    for _ in range(50):
        out.write(",".join(f"{random.uniform(0, s):.6g}" for s in sizes) + "\n")
