"""metadata.py MODEL OUT [KEY VALUE]...: the model in ONNX's text form with metadata, version 12 and a description."""
import json
import sys

source, out, *pairs = sys.argv[1:]
with open(source) as file:
    text = file.read()
entries = ", ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in zip(pairs[::2], pairs[1::2]))
head = f'model_version: 12, doc_string: "of blood", metadata_props: [{entries}], opset_import:'
with open(out, "w") as file:
    file.write(text.replace("opset_import:", head, 1))
