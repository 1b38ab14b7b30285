"""Names of figures in the documents against those in the source: figures.py ROOT."""
import json
import re
import sys

root = sys.argv[1]
known = set(re.findall(r'^    {"(sdc_\w+)"', open(f"{root}/runtime/service/Metrics.cpp").read(), re.M))
assert len(known) > 10, "no figures found in the source"
dashboard = json.load(open(f"{root}/examples/service/dashboard.json"))
used = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
page = open(f"{root}/docs/operating.md").read()
names = {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"sdc_\w+", used + page)}
sys.exit(f"unknown: {sorted(names - known)}" if names - known else 0)
