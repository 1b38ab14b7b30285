#!/usr/bin/python3
"""How well the service's replies hide its weights (docs/protocols.md, "Linear layers"), from the constants of
ir/core/LinearHiding.h and formulas. Fails if a figure is not what the header says. scripts/rlwe-estimate.py: how hard the
encryption under them is.
"""
import itertools
import math
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = (ROOT / "ir/core/LinearHiding.h").read_text()
SIZES = (ROOT / "ir/core/LinearPacking.h").read_text()
# In the order of both headers: the ring, and what the service multiplies with.
SETS = ((64, "masks"), (32, "masks"), (64, "weights"), (32, "weights"))
RLWE = {each: dict(zip(("degree", "q", "reply", "wanted"), map(int, sizes)))
        for each, sizes in zip(SETS, re.findall(r"RlweSizes\{(\d+), (\d+), (\d+), (\d+)\}", SIZES), strict=True)}


def constant(pattern):
    return float(re.search(pattern, HEADER).group(1))


ERROR = constant(r"kErrorBound = (\d+);")
INFORMATION = constant(r"kFloodInformation = ([\d.]+);")
HIDING = constant(r"kHidingBits = (\d+);")
FLOOD = dict(zip(SETS, [float(bits) for pair in re.findall(r"return wide \? (\d+) : (\d+);", HEADER) for bits in pair],
                 strict=True))
VARIANCE = ERROR / 2 + 0.25

failures = []


def require(condition, text):
    print(("  " if condition else "  NOT SO: ") + text)
    if not condition:
        failures.append(text)


def flood(width):
    """Probabilities of a sum of three integers, each uniform on [0, width)."""
    one = [1 / width] * width
    total = [1.0]
    for _ in range(3):
        sums, out = 0.0, []
        for i in range(len(total) + width - 1):
            sums += total[i] if i < len(total) else 0.0
            sums -= total[i - width] if i >= width else 0.0
            out.append(sums / width)
        total = out
    return [max(p, 0.0) for p in total]


def affinity(p, shift):
    """Sum of sqrt(p(k) p(k - shift)): 1 - H^2."""
    return sum(math.sqrt(p[k] * p[k - shift]) for k in range(shift, len(p)))


def shape():
    print("the flood's shape: H^2 of a shift by one, times 8 U^2 (the header has the limit)")
    last = 0
    for log in range(4, 12):
        width = 1 << log
        last = 8 * width * width * (1 - affinity(flood(width), 1))
        require(last <= INFORMATION * (1 + 8 / width), f"U = 2^{log}: {last:.5f}")
    exact = 2 * math.sqrt(3) * math.log(2 + math.sqrt(3))
    require(abs(exact - INFORMATION) < 1e-4, f"2 sqrt(3) ln(2 + sqrt(3)) = {exact:.5f}")
    p = flood(64)
    for shift in (2, 5, 20):
        require(1 - affinity(p, shift) <= shift ** 2 * (1 - affinity(p, 1)), f"a shift by {shift} costs at most {shift}^2 times that of 1")


def composition():
    """Exact statistical distances of products of few coordinates, against the bound."""
    print("composition at toy size, U = 16: exact distance and bound")
    p = flood(16)
    for shifts in ((1,), (3,), (1, 1), (2, 1, 1)):
        size = len(p) + max(shifts)
        at = lambda k: p[k] if 0 <= k < len(p) else 0.0
        exact = sum(abs(math.prod(at(k) for k in ks) - math.prod(at(k - s) for k, s in zip(ks, shifts)))
                    for ks in itertools.product(range(size), repeat=len(shifts))) / 2
        bound = math.sqrt(2 * sum(s * s for s in shifts) * (1 - affinity(p, 1)))
        require(exact <= bound, f"shifts {shifts}: {exact:.4f} <= {bound:.4f}")


def hiding(each):
    ring, use = each
    width = FLOOD[each]
    # sqrt(2 H^2) = 2^-HIDING at S = squares: H^2 = INFORMATION VARIANCE S / (8 U^2).
    squares = 2 * (width - HIDING) + 2 - math.log2(INFORMATION * VARIANCE)
    print(f"Z_2^{ring}, {use}: refused if the sum of squares over the coefficients sent exceeds 2^{squares:.2f}")
    one = 0.5 * math.log2(INFORMATION * VARIANCE) + squares / 2 - 1 - width
    require(abs(one + HIDING) < 1e-9, f"an inference: at most 2^{one:.2f}")
    many = one + 0.5 * math.log2(1e6)
    require(many <= -25, f"10^6 inferences: at most 2^{many:.2f}")
    if use == "masks":  # of any size in the ring; blocks of 16 x 32 x 16
        coefficients = 12 * 3 * 197 * (197 + 64)
        met = 12 * 3 * 197 * 197 * 64 * 2 * 48
        sent = math.log2(met) + 2 * (ring - 1)
        hidden = HIDING + (squares - sent) / 2
        require(hidden > HIDING, f"12 layers of 3 heads of 197 x 64, {coefficients:.1e} coefficients: hidden up to 2^-{hidden:.0f}")
        return
    for coefficients in (1e3, 1e5, 1e7):
        print(f"    {coefficients:.0e} coefficients: weights that meet in one may have a root of the sum of squares of "
              f"2^{(squares - math.log2(coefficients)) / 2:.1f}")


def failure(each):
    """Odds that an output opens wrongly: flood, dropped bits, and the rounding of c1 times the secret's signs."""
    degree, q, reply, wanted = (RLWE[each][k] for k in ("degree", "q", "reply", "wanted"))
    half = 2.0 ** (reply - each[0] - 1)
    width = 2.0 ** (FLOOD[each] - (q - reply))
    dropped = 2.0 ** (reply - wanted) / 2
    deviation = math.sqrt(degree * 2 / 3 / 12)
    odds, steps = 0.0, 4000
    for i in range(steps):  # density of three uniforms near an end, y from it: y^2 / 2, in units of the width
        y = (i + 0.5) * 1.5 / steps
        density = y * y / 2 if y < 1 else 0.75 - (1.5 - y) ** 2
        left = half - dropped - (1.5 - y) * width
        odds += 2 * density * 1.5 / steps * math.erfc(left / deviation / math.sqrt(2)) / 2
    require(odds < 2.0 ** -64, f"an output opens wrongly with odds of 2^{math.log2(max(odds, 1e-300)):.0f}")


def main():
    shape()
    composition()
    for each in SETS:
        hiding(each)
        failure(each)
    if failures:
        print("\n".join(["failed:", *failures]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
