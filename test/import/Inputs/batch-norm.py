# BatchNormalization in every opset, as its training and its inference are written there: NAME.onnxtext in a folder.
import sys


def write(name, opset, attributes, outputs):
    with open(f"{sys.argv[1]}/{name}.onnxtext", "w") as file:
        file.write(f'''<ir_version: 8, opset_import: ["" : {opset}]>
net (float[1, 2, 2] x) => (float[1, 2, 2] y) {{
  s = Constant <value = float[2] {{1, 2}}> ()
  {outputs} = BatchNormalization {attributes} (x, s, s, s, s)
}}
''')


FOUR = "y, mean, var, saved_mean, saved_var"
write("train-6", 6, "", "y")
write("test-6", 6, "<is_test = 1>", "y")
for opset in 7, 9, 13:
    write(f"train-{opset}", opset, "", FOUR)
    write(f"test-{opset}", opset, "", "y")
write("train-14", 14, "<training_mode = 1>", "y")
write("test-14", 14, "<training_mode = 0>", "y")
