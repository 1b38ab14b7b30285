"""thumbnails.py WORK SDC SD-RUN: pictures are in the page itself, and a browser shows them, in light and dark."""
import base64
import io
import os
import re
import subprocess
import sys

import numpy as np
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../data/Inputs"))
import programs

work, sdc, sd_run = sys.argv[1:]
MAGENTA, GREEN = (255, 0, 255), (0, 128, 0)
programs.compile(work, sdc, "colour", [3, 8, 8], {"height": 8, "width": 8, "channels": ["red", "green", "blue"]})
os.makedirs(f"{work}/folder")
Image.new("RGB", (200, 100), MAGENTA).resize((200, 200)).save(f"{work}/folder/a.png")
Image.new("RGB", (64, 64), GREEN).save(f"{work}/folder/b<i>.png")


def page(name, *flags):
    path = f"{work}/{name}.html"
    subprocess.run([sd_run, "--local", f"{work}/colour.sdb", "--input", f"{work}/folder", "--format", "html",
                    "--report", path, *flags], check=True, stderr=subprocess.DEVNULL)
    return path, open(path).read()


def seen(path, *flags):
    """A screenshot; a browser that cannot start or read the page leaves none."""
    picture = f"{path}.png"
    done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                           "--hide-scrollbars", "--force-device-scale-factor=1", "--window-size=900,900",
                           f"--user-data-dir={work}/browser", f"--screenshot={picture}", *flags, f"file://{path}"],
                          capture_output=True, text=True)
    assert os.path.exists(picture), done.stderr
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    os.remove(picture)
    return pixels


def count(pixels, colour):
    return int((np.abs(pixels - np.array(colour)).max(axis=2) <= 2).sum())


path, text = page("plain")
assert "<img" not in text
assert count(seen(path), MAGENTA) == 0
path, text = page("pictures", "--thumbnails")
pictures = [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall('src="data:image/png;base64,([^"]+)"', text)]
assert [picture.size for picture in pictures] == [(128, 128), (64, 64)], pictures
assert [picture.convert("RGB").getpixel((5, 5)) for picture in pictures] == [MAGENTA, GREEN]
assert 'alt="the image of record b&lt;i&gt;"' in text and not re.search("(src|href)=\"(?!data:)", text)
light, dark = seen(path), seen(path, "--blink-settings=preferredColorScheme=0")
for pixels in (light, dark):
    assert count(pixels, MAGENTA) == 128 * 128 and count(pixels, GREEN) == 64 * 64
    rows = np.where((np.abs(pixels - np.array(MAGENTA)).max(axis=2) <= 2).any(axis=1))[0]
    below = np.where((np.abs(pixels - np.array(GREEN)).max(axis=2) <= 2).any(axis=1))[0]
    assert rows.max() + 20 < below.min() < rows.max() + 150  # each beside its own record's table
assert light[5, 5].min() > 240 and dark[5, 5].max() < 60, (light[5, 5], dark[5, 5])
print("all as expected")
