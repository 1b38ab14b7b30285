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
