"""dicom.py WORK SDC SAMPLES: DICOM files made here, and samples of other makers, some of them damaged."""
import os
import random
import struct
import sys

import numpy as np

import programs

work, sdc, samples = sys.argv[1:]
prepare = programs.Preparer(work, sdc)


def element(group, number, kind, value):
    if kind == "US":
        value = struct.pack("<H", value)
    elif kind != "OW":
        value = value.encode() + b" " * (len(value) % 2)
    head = struct.pack("<HH2s", group, number, kind.encode())
    return head + (struct.pack("<HI", 0, len(value)) if kind == "OW" else struct.pack("<H", len(value))) + value


def dicom(pixels, photometric="MONOCHROME2", modality="CR", bits=12, rest=b"", signed=0, frames=None, patient="P-17"):
    meta = element(2, 0x10, "UI", "1.2.840.10008.1.2.1\0")
    data = element(8, 0x60, "CS", modality) + element(0x10, 0x20, "LO", patient)
    if pixels is not None:
        data += element(0x28, 2, "US", 1) + element(0x28, 4, "CS", photometric)
        data += element(0x28, 8, "IS", frames) if frames else b""
        data += b"".join(element(0x28, number, "US", value) for number, value in
                         [(0x10, pixels.shape[0]), (0x11, pixels.shape[1]), (0x100, 16), (0x101, bits),
                          (0x102, bits - 1), (0x103, signed)])
        data += rest + element(0x7FE0, 0x10, "OW", pixels.astype("<i2" if signed else "<u2").tobytes())
    return bytes(128) + b"DICM" + element(2, 0, "UL", "") [:6] + struct.pack("<H", 4) + struct.pack("<I", len(meta)) + meta + data


def save(name, *arguments, **named):
    path = f"{work}/{name}.dcm"
    with open(path, "wb") as file:
        file.write(dicom(*arguments, **named))
    return path


def numbers(path, *flags):
    return prepare.numbers("grey", path, flags=flags)[0, 0]


rng = np.random.default_rng(3)
stored = rng.integers(0, 4096, (8, 8))
path = save("plain", stored)
assert np.allclose(numbers(path), stored / 4095, atol=1e-6)
assert np.allclose(numbers(save("inverse", stored, "MONOCHROME1")), 1 - stored / 4095, atol=1e-6)
low, high = stored.min(), stored.max()
assert np.allclose(numbers(path, "--window", "image"), (stored - low) / (high - low), atol=1e-6)

# Slope, intercept and windows, as of a CT: values from -1024 on.
scaled = (element(0x28, 0x1050, "DS", "40") + element(0x28, 0x1051, "DS", "400")
          + element(0x28, 0x1052, "DS", "-1024") + element(0x28, 0x1053, "DS", "0.5"))
path = save("ct", stored, modality="CT", rest=scaled)
values = stored * 0.5 - 1024
assert np.allclose(numbers(path, "--window=-1000,400"), np.clip((values + 1000) / 1400, 0, 1), atol=1e-6)
assert np.allclose(numbers(path, "--window", "file"), np.clip((values - 39.5) / 399 + 0.5, 0, 1), atol=1e-6)
assert np.allclose(numbers(path), stored / 4095, atol=1e-6)
signed = rng.integers(-2048, 2048, (8, 8))
assert np.allclose(numbers(save("signed", signed, signed=1)), (signed + 2048) / 4095, atol=1e-6)

# The same by the schema, which options may not contradict.
image = {"height": 8, "width": 8, "channels": ["grey"]}
programs.compile(work, sdc, "lung", [1, 8, 8], image | {"modality": ["CT"], "window": [-1000, 400], "rescale": "required",
                                                       "photometric": ["MONOCHROME2"], "fit": "crop"})
programs.compile(work, sdc, "raw", [1, 8, 8], image | {"rescale": "ignored", "window": "file"})
assert np.allclose(prepare.numbers("lung", path)[0, 0], np.clip((values + 1000) / 1400, 0, 1), atol=1e-6)
assert np.allclose(prepare.numbers("lung", path, flags=["--window=-1000,400", "--modality", "CT"])[0, 0],
                   np.clip((values + 1000) / 1400, 0, 1), atol=1e-6)
assert np.allclose(prepare.numbers("raw", path)[0, 0], np.clip((stored - 39.5) / 399 + 0.5, 0, 1), atol=1e-6)
prepare.refused("its modality is 'CR', and the program takes CT", "lung", save("cr", stored, rest=scaled))
prepare.refused("'MONOCHROME1', and the program takes MONOCHROME2", "lung", save("m1", stored, "MONOCHROME1", "CT", rest=scaled))
prepare.refused("no rescale slope and intercept, which the program needs", "lung", save("noslope", stored, modality="CT"))
prepare.refused("--window file: the program's schema says -1000,400", "lung", path, flags=["--window", "file"], exit=2)
prepare.refused("--modality MR: the program's schema says CT", "lung", path, flags=["--modality", "MR"], exit=2)
prepare.refused("--fit pad: the program's schema says crop", "lung", path, flags=["--fit", "pad"], exit=2)

# Without the preamble.
bare = open(path, "rb").read()[132:]
open(f"{work}/bare", "wb").write(bare)
assert np.array_equal(prepare.numbers("grey", f"{work}/bare"), prepare.numbers("grey", path))

prepare.numbers("grey", path, flags=["--identifiers", f"{work}/ids.csv", "--modality", "CR,CT"])
assert open(f"{work}/ids.csv").read() == 'record,identifier\n1,P-17\n'
prepare.refused("its modality is 'CT'", "grey", path, flags=["--modality", "CR,DX"])
prepare.refused("no window", "grey", save("nowindow", stored), flags=["--window", "file"])
prepare.refused("no pixels (modality 'SR')", "grey", save("report", None, modality="SR"))
prepare.refused("2 images", "grey", save("frames", stored, frames="2"))
prepare.refused("is grey", "first", save("grey", stored))
prepare.refused("too small", "grey", save("tiny", stored[:3, :3]))
whole = open(path, "rb").read()
open(f"{work}/cut.dcm", "wb").write(whole[:-20])
prepare.refused("damaged", "grey", f"{work}/cut.dcm")
open(f"{work}/text.dcm", "w").write("a text, and no image")
prepare.refused("DICOM", "grey", f"{work}/text.dcm")

random.seed(11)
for trial in range(60):
    changed = bytearray(whole)
    for _ in range(random.randint(1, 4)):
        changed[random.randrange(132, len(changed) - 128)] = random.randrange(256)
    open(f"{work}/changed.dcm", "wb").write(changed)
    prepare.run("grey", f"{work}/changed.dcm")

if os.path.isdir(samples):
    causes = {"JPEG-lossy": None, "MR_small_jp2klossless": "JPEG 2000", "MR_truncated": "damaged",
              "liver_1frame": "bits", "no_meta": None, "priv_SQ": "no pixels", "test-SR": "no pixels",
              "waveform_ecg": "no pixels", "ExplVR_BigEnd": "in colour", "SC_rgb_rle_16bit": "in colour",
              "SC_rgb_small_odd": "in colour", "examples_palette": "in colour", "examples_rgb_color": "in colour"}
    for name in sorted(os.listdir(samples)):
        if not name.endswith(".dcm"):
            continue
        cause = causes.get(name[:-4])
        code, _, said = prepare.run("grey", f"{samples}/{name}", flags=["--fit", "crop"])
        print(name, code, said.strip()[-120:], file=sys.stderr)
        if cause:
            assert code == 3 and cause in said, f"{name}: exit code {code}: {said}"
    compressed = ["MR_small_RLE", "MR_small_jpeg_ls_lossless", "MR_small_bigendian", "MR_small_implicit", "MR_small_padded"]
    wanted = numbers(f"{samples}/MR_small.dcm", "--window", "image")
    for name in compressed:
        assert np.array_equal(numbers(f"{samples}/{name}.dcm", "--window", "image"), wanted), name
else:
    print(f"NOT TESTED: samples of other makers: there is no folder {samples}", file=sys.stderr)
print("all as expected")
