"""images.py WORK SDC: PNG, JPEG, .npz and folders against Pillow and NumPy; what is damaged or does not fit."""
import os
import random
import sys

import numpy as np
from PIL import Image

import programs

work, sdc = sys.argv[1:]
programs.compile(work, sdc, "grey", [1, 8, 8], {"height": 8, "width": 8, "channels": ["grey"]})
programs.compile(work, sdc, "inverted", [8, 8], {"height": 8, "width": 8, "channels": ["grey"], "black": 255, "white": 0})
programs.compile(work, sdc, "first", [3, 8, 8], {"height": 8, "width": 8, "channels": ["red", "green", "blue"]})
programs.compile(work, sdc, "last", [8, 8, 3], {"height": 8, "width": 8, "channels": ["blue", "green", "red"]})
programs.compile(work, sdc, "three", [3, 8, 8], {"height": 8, "width": 8, "channels": ["a", "b", "c"]})
programs.compile(work, sdc, "flat", [64], {"height": 8, "width": 8, "channels": ["grey"]})
programs.compile(work, sdc, "plain", [1, 8, 8], None)
prepare = programs.Preparer(work, sdc)
rng = np.random.default_rng(5)


def picture(height, width, mode):
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    noise = rng.integers(0, 256, shape, np.uint8)
    return Image.fromarray(noise, mode)


def difference(picture, path, grey, colour):
    wanted = np.asarray(picture.resize((8, 8), Image.BILINEAR), np.float64)
    program = grey if picture.mode == "L" else colour
    got = prepare.numbers(program, path).astype(np.float64) * 255
    got = got[0].transpose(1, 2, 0) if picture.mode == "RGB" and program == "first" else got[0]
    if program == "last":
        got = got[..., ::-1]
    return np.abs(got.reshape(wanted.shape) - wanted).max()


worst = {"png": 0, "jpg": 0}
for height, width in [(8, 8), (16, 16), (20, 17), (8, 9), (5, 6), (101, 90), (40, 60)]:
    for mode in ("L", "RGB"):
        for ending in worst:
            path = f"{work}/p.{ending}"
            original = picture(height, width, mode)
            original.save(path)
            original = Image.open(path)
            original.load()
            for colour in ("first", "last"):
                worst[ending] = max(worst[ending], difference(original, path, "grey", colour))
print(f"PNG as Pillow: largest difference {worst['png']:.3f} of 255")
print(f"JPEG as Pillow: largest difference {worst['jpg']:.3f} of 255")
assert max(worst.values()) <= 1

# Bit depths, palettes, opacity; grey for a model of three grey channels; white for black.
small = rng.integers(0, 256, (8, 8), np.uint8)
grey = Image.fromarray(small, "L")
Image.fromarray(small.astype(np.uint16) * 257).save(f"{work}/wide.png")
(grey.point(lambda v: 255 * (v > 127)).convert("1")).save(f"{work}/bit.png")
grey.save(f"{work}/grey.png")
assert np.array_equal(prepare.numbers("flat", f"{work}/grey.png").ravel(), (small / np.float32(255)).ravel().astype(np.float32))
opaque = Image.merge("LA", (grey, Image.new("L", (8, 8), 255)))
opaque.save(f"{work}/opaque.png")
clear = Image.merge("LA", (grey, Image.new("L", (8, 8), 254)))
clear.save(f"{work}/clear.png")
palette = Image.merge("RGB", (grey, grey, grey)).quantize(256)
palette.save(f"{work}/palette.png")
wanted = small / np.float32(255)
assert np.allclose(prepare.numbers("grey", f"{work}/wide.png")[0, 0], wanted, atol=1e-6)
assert np.allclose(prepare.numbers("grey", f"{work}/opaque.png")[0, 0], wanted, atol=1e-6)
assert np.array_equal(prepare.numbers("grey", f"{work}/bit.png")[0, 0], small > 127)
assert np.allclose(prepare.numbers("three", f"{work}/grey.png")[0], np.stack([wanted] * 3), atol=1e-6)
assert np.allclose(prepare.numbers("inverted", f"{work}/grey.png")[0], 255 - small, atol=1e-4)
assert np.allclose(prepare.numbers("first", f"{work}/palette.png")[0],
                   np.asarray(palette.convert("RGB")).transpose(2, 0, 1) / 255, atol=1e-6)
prepare.refused("transparent", "grey", f"{work}/clear.png")

# The middle of a wide picture, and black around it.
wide = rng.integers(1, 256, (8, 20), np.uint8)
Image.fromarray(wide, "L").save(f"{work}/wide20.png")
prepare.refused("distorted", "grey", f"{work}/wide20.png")
assert np.allclose(prepare.numbers("grey", f"{work}/wide20.png", flags=["--fit", "crop"])[0, 0], wide[:, 6:14] / 255)
padded = prepare.numbers("grey", f"{work}/wide20.png", flags=["--fit", "pad"])[0, 0]
assert not padded[:2].any() and padded[2:5].all() and not padded[5:].any()

# By the schema: normalization, layout, size.
colours = {"height": 8, "width": 8, "channels": ["red", "green", "blue"]}
mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
programs.compile(work, sdc, "normal", [3, 8, 8], colours | {"normalization": {"mean": mean, "std": std}, "resize": "none"})
programs.compile(work, sdc, "cube", [3, 3, 3], {"height": 3, "width": 3, "channels": ["red", "green", "blue"], "layout": "channels_last"})
image = picture(8, 8, "RGB")
image.save(f"{work}/normal.png")
wanted_normal = ((np.asarray(image) / 255 - mean) / std).transpose(2, 0, 1)
assert np.allclose(prepare.numbers("normal", f"{work}/normal.png")[0], wanted_normal, atol=1e-5)
assert np.allclose(prepare.numbers("cube", f"{work}/normal.png", flags=["--fit", "stretch"])[0] * 255,
                   np.asarray(image.resize((3, 3), Image.BILINEAR)), atol=1)
picture(16, 16, "RGB").save(f"{work}/larger.png")
prepare.refused("its schema says that images are not resized", "normal", f"{work}/larger.png")
prepare.refused("--fit crop: the program's schema says that images are not resized", "normal", f"{work}/normal.png", flags=["--fit", "crop"], exit=2)

# What does not fit.
picture(8, 8, "RGB").save(f"{work}/colour.png")
picture(3, 3, "L").save(f"{work}/tiny.png")
Image.new("CMYK", (8, 8)).save(f"{work}/cmyk.jpg")
turned = Image.Exif()
turned[0x0112] = 6
picture(8, 8, "L").save(f"{work}/turned.jpg", exif=turned)
open(f"{work}/text.png", "w").write("no picture")
open(f"{work}/empty.png", "w").close()
open(f"{work}/none.xyz", "w").write("1,2\n")
prepare.refused("in colour", "grey", f"{work}/colour.png")
prepare.refused("is grey", "first", f"{work}/grey.png")
prepare.refused("too small", "grey", f"{work}/tiny.png")
prepare.refused("CMYK", "first", f"{work}/cmyk.jpg")
prepare.refused("orientation 6", "grey", f"{work}/turned.jpg")
prepare.refused("no such file", "grey", f"{work}/text.png")
prepare.refused("no such file", "grey", f"{work}/empty.png")
prepare.refused("neither a .npy", "grey", f"{work}/none.xyz")
prepare.refused("does not say how images", "plain", f"{work}/grey.png")
prepare.refused("too small", "grey", f"{work}/grey.png", f"{work}/colour.png", f"{work}/tiny.png")
prepare.refused("in colour", "grey", f"{work}/grey.png", f"{work}/colour.png", f"{work}/tiny.png")
prepare.refused("missing.png", "grey", f"{work}/missing.png")

# Arrays, alone and with images; names of records.
many = rng.random((3, 1, 8, 8), np.float32)
np.savez(f"{work}/one.npz", many)
np.savez_compressed(f"{work}/two.npz", other=many[:1], x=many)
np.savez(f"{work}/unnamed.npz", a=many, b=many)
np.save(f"{work}/many.npy", many)
assert np.array_equal(prepare.numbers("grey", f"{work}/one.npz"), many)
assert np.array_equal(prepare.numbers("grey", f"{work}/two.npz"), many)
assert np.array_equal(prepare.numbers("grey", "-", stdin=open(f"{work}/two.npz", "rb").read()), many)
prepare.refused("none is called 'x'", "grey", f"{work}/unnamed.npz")
with open(f"{work}/grey.png", "rb") as source, open(f"{work}/=1+1,a.png", "wb") as formula:  # to a spreadsheet
    formula.write(source.read())
both = prepare.numbers("grey", f"{work}/many.npy", f"{work}/=1+1,a.png", flags=["--identifiers", f"{work}/ids.csv"])
assert both.shape == (4, 1, 8, 8) and np.allclose(both[3, 0], wanted)
assert open(f"{work}/ids.csv").read() == 'record,identifier\n1,many 1\n2,many 2\n3,many 3\n4,"\'=1+1,a"\n'

# Any change to a file's bytes gives numbers or an error.
random.seed(7)
grey.resize((20, 20)).save(f"{work}/mutant.jpg")
for name, program in [("grey.png", "grey"), ("palette.png", "first"), ("mutant.jpg", "grey"), ("two.npz", "grey")]:
    original = open(f"{work}/{name}", "rb").read()
    for trial in range(25):
        changed = bytearray(original)
        for _ in range(random.randint(1, 4)):
            changed[random.randrange(len(changed))] = random.randrange(256)
        if trial % 5 == 0:
            changed = changed[:random.randrange(len(changed))]
        path = f"{work}/changed{os.path.splitext(name)[1]}"
        open(path, "wb").write(changed)
        prepare.run(program, path)

os.makedirs(f"{work}/folder/deeper")
Image.new("L", (8, 8), 0).save(f"{work}/folder/a.png")
Image.new("L", (8, 8), 255).save(f"{work}/folder/b.png")
Image.new("L", (8, 8), 255).save(f"{work}/folder/.hidden.png")
open(f"{work}/folder/notes.txt", "w").write("not a record")
print("all as expected")
