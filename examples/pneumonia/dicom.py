"""Writes a grey image of 8 bits as a DICOM file (explicit VR, little endian): enough to try a folder of them."""
import struct


def element(group, number, kind, value):
    if isinstance(value, int):
        value = struct.pack("<H", value)
    elif isinstance(value, str):
        value = value.encode() + (b"\0" if kind == "UI" else b" ") * (len(value) % 2)
    head = struct.pack("<HH2s", group, number, kind.encode())
    return head + (struct.pack("<HI", 0, len(value)) if kind == "OW" else struct.pack("<H", len(value))) + value


def write(path, image, patient, modality="CR"):
    """image: [height, width], uint8. patient: the PatientID, which names the result."""
    height, width = image.shape
    meta = element(2, 0x10, "UI", "1.2.840.10008.1.2.1")
    body = [element(8, 0x60, "CS", modality), element(0x10, 0x20, "LO", patient), element(0x28, 2, "US", 1),
            element(0x28, 4, "CS", "MONOCHROME2"), element(0x28, 0x10, "US", height), element(0x28, 0x11, "US", width),
            element(0x28, 0x100, "US", 8), element(0x28, 0x101, "US", 8), element(0x28, 0x102, "US", 7),
            element(0x28, 0x103, "US", 0), element(0x7FE0, 0x10, "OW", image.tobytes())]
    with open(path, "wb") as file:
        file.write(bytes(128) + b"DICM" + element(2, 0, "UL", struct.pack("<I", len(meta))) + meta + b"".join(body))
