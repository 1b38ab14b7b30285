"""report.py WORK SDC: pages of models of each kind hold what they should, escape what names hold, and load nothing."""
import html.parser
import json
import os
import re
import shutil
import stat
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

work, sdc = sys.argv[1:]
HOSTILE = "</title></svg><script>alert(1)</script><img src=x onerror='alert(2)'>&\"\n" + "long " * 2000
random = np.random.default_rng(1)


def save(name, nodes, inputs, outputs, weights=(), ml=False):
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs],
                              [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs],
                              [numpy_helper.from_array(np.asarray(w, np.float32), n) for n, w in weights])
    opsets = [helper.make_opsetid("", 13)] + ([helper.make_opsetid("ai.onnx.ml", 3)] if ml else [])
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    onnx.save(model, f"{work}/{name}.onnx")


def report(name, x, *flags, labels=None):
    np.save(f"{work}/{name}-x.npy", x.astype(np.float32))
    if labels is not None:
        np.save(f"{work}/{name}-y.npy", np.asarray(labels))
        flags = (*flags, "--labels", f"{work}/{name}-y.npy")
    path = f"{work}/{name}.html"
    done = subprocess.run([sdc, "report", f"{work}/{name}.onnx", "--data", f"{work}/{name}-x.npy", "-o", path,
                           "--input-range=-1,1", *flags], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "", done.stderr[:2000]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    text = open(path, encoding="utf-8").read()
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == [], page.open
    assert page.tags <= ALLOWED, page.tags - ALLOWED
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text and "@media print" in text
    assert "url(" not in text and "@import" not in text and len(text) < 400_000, len(text)
    for head in ("The network", "Cost by layer", "Errors", "Labels and classes", "Ranges", "What is public"):
        assert head in page.text, head
    return page, text


ALLOWED = set("html head meta style title body h1 h2 h3 p div span table thead tbody tr th td svg g path rect text".split())


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags, self.boxes = [], "", set(), 0

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        assert not any(name in ("src", "href", "style") or name.startswith("on") for name, _ in attributes), attributes
        self.boxes += tag == "rect" and ("class", "box") in attributes
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data


# A network whose names are hostile, with labels and names of classes.
save("hostile", [helper.make_node("MatMul", ["x", "w"], ["s"], name=HOSTILE), helper.make_node("Relu", ["s"], ["r"], name=HOSTILE + "2"),
                 helper.make_node("MatMul", ["r", "v"], ["y"])],
     [("x", [1, 4])], [("y", [1, 2])], [("w", random.uniform(-1, 1, (4, 4))), ("v", random.uniform(-1, 1, (4, 2)))])
schema = {"model": {"name": HOSTILE.splitlines()[0]}, "inputs": [{"name": "x", "columns": [{"name": f"{c}<i>", "range": [-1, 1]} for c in "abcd"]}],
          "outputs": [{"name": "y", "classes": ["<b>well</b>", "\"ill'"]}]}
json.dump(schema, open(f"{work}/s.json", "w"))
x = random.uniform(-1, 1, (20, 4))
page, text = report("hostile", x, "--schema", f"{work}/s.json", labels=random.integers(0, 2, 20))
assert "<script>alert(1)</script>" in page.text and "<b>well</b>" in page.text and "\"ill'" in page.text
assert "long " * 30 not in page.text  # shortened
assert "of 20" in page.text and page.boxes == 4  # the input and three ops
online = int(re.search(r"(\d+) bytes, (\d+) round trips", page.text)[1])
assert online > 0 and "lan: online s" in page.text and "wan: offline s" in page.text
assert "nothing about the record" in page.text and "share.output" in page.text

# One record, no labels; a regressor of trees; several outputs; classes alone.
page, _ = report("hostile", x[:1])
assert "No labels were given" in page.text
trees = helper.make_node(
    "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, nodes_treeids=[0] * 3, nodes_nodeids=[0, 1, 2],
    nodes_featureids=[1, 0, 0], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_values=[0.25, 0.0, 0.0],
    nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0], target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0],
    target_weights=[0.5, -0.5])
save("trees", [trees], [("x", [1, 4])], [("y", [1, 1])], ml=True)
report("trees", x)
save("several", [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])],
     [("x", [1, 4])], [("y", [1, 3]), ("z", [1, 3])], [("w", random.uniform(-1, 1, (4, 3)))])
report("several", x)
page, _ = report("hostile", x, "--reveal", "class")
assert "no scores to compare" in page.text
save("image", [helper.make_node("Conv", ["x", "w"], ["c"], name="conv"), helper.make_node("Relu", ["c"], ["r"]),
               helper.make_node("GlobalAveragePool", ["r"], ["g"]), helper.make_node("Flatten", ["g"], ["y"])],
     [("x", [1, 1, 6, 6])], [("y", [1, 3])], [("w", random.uniform(-1, 1, (3, 1, 3, 3)))])
page, _ = report("image", random.uniform(-1, 1, (5, 1, 6, 6)), labels=[0, 1, 2, 0, 1])
assert "(conv, " in page.text or "(conv)" in page.text, page.text[:3000]

# Several findings, each with its own labels; more classes than a table takes.
save("findings", [helper.make_node("MatMul", ["x", "w"], ["s"]), helper.make_node("Sigmoid", ["s"], ["y"])],
     [("x", [1, 4])], [("y", [1, 2])], [("w", random.uniform(-1, 1, (4, 2)))])
json.dump({"outputs": [{"name": "y", "findings": [{"name": "<i>one", "threshold": 0.5}, {"name": "two", "threshold": 0.9}]}]},
          open(f"{work}/f.json", "w"))
page, _ = report("findings", x, "--schema", f"{work}/f.json", labels=random.integers(0, 2, (20, 2)))
assert "<i>one" in page.text and re.search(r"two[0-9.]+ % \(\d+ of 20\)", page.text), page.text
save("many", [helper.make_node("MatMul", ["x", "w"], ["y"])], [("x", [1, 4])], [("y", [1, 30])],
     [("w", random.uniform(-1, 1, (4, 30)))])
page, _ = report("many", x, labels=np.arange(20))
assert "labelclassrecords" in page.text, page.text

# So many side by side are one box.
branches = [helper.make_node("Relu", ["x"], [f"b{i}"], name=f"b{i}") for i in range(9)]
save("wide", [*branches, helper.make_node("Sum", [f"b{i}" for i in range(9)], ["y"])], [("x", [1, 4])], [("y", [1, 4])])
page, text = report("wide", x)
assert "9 ops" in page.text and page.boxes < 20, (page.boxes, page.text)

# A deep network is folded: no more than a few dozen boxes, each op counted once.
depth = int(os.environ.get("SDC_REPORT_NODES", "600"))
nodes = [helper.make_node("Relu" if i % 2 else "Neg", [f"t{i}" if i else "x"], [f"t{i + 1}"], name=f"n{i}") for i in range(depth)]
save("deep", nodes, [("x", [1, 4])], [(f"t{depth}", [1, 4])])
page, text = report("deep", x)
assert page.boxes <= 40 and sum(int(n) for n in re.findall(r"<title>(\d+) ops? \(", text)) >= 2, page.boxes

# A browser, where there is one, draws it and runs nothing.
browser = shutil.which("chromium")
if browser:
    flags = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={work}/profile"]
    page_url = f"file://{work}/image.html"
    dom = subprocess.run([*flags, "--dump-dom", page_url], capture_output=True, text=True).stdout
    assert dom.count('class="box"') >= 4 and "<script" not in dom, dom[:500]
    dom = subprocess.run([*flags, "--dump-dom", f"file://{work}/hostile.html"], capture_output=True, text=True).stdout
    assert 'class="graph"' in dom and "<script" not in dom and "<img" not in dom
    subprocess.run([*flags, "--window-size=1200,1600", f"--screenshot={work}/page.png", page_url], capture_output=True)
    assert os.path.getsize(f"{work}/page.png") > 10_000
else:
    print("NO BROWSER: the pages were parsed alone; Debian's chromium looks at them too")
print("all as expected")
