#!/usr/bin/python3
"""How hard the RLWE encryption under the linear layers is (docs/protocols.md, "Linear layers"): bit operations of the primal,
the hybrid and the dual attack for the parameters of ir/core/LinearHiding.h and ir/core/LinearPacking.h, from formulas.
Fails if one is below 128, or if the formulas give another figure than the Homomorphic Encryption Standard for its own parameters.

Lattice reduction with block size b in dimension d takes 2^(0.292 b + 16.4) operations 8 d times (Becker, Ducas, Gama, Laarhoven,
SODA 2016; the standard's own count), and leaves a basis that follows the geometric series assumption (Chen, 2013).
The ring is taken for a module without structure, as by all published attacks of this kind; samples are free.
"""
import math
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = (ROOT / "ir/core/LinearHiding.h").read_text()
SIZES = (ROOT / "ir/core/LinearPacking.h").read_text()
BOUND = int(re.search(r"kErrorBound = (\d+);", HEADER).group(1))
DEVIATION = math.sqrt(BOUND / 2)
STANDARD = 8 / math.sqrt(2 * math.pi)
# N, log2 q, deviation; the bits that table 1 of the standard gives (Albrecht et al., 2018; uniform ternary secret).
KNOWN = ((4096, 109, STANDARD, 128), (8192, 218, STANDARD, 128))
OURS = [(int(n), int(q), DEVIATION) for n, q in re.findall(r"RlweSizes\{(\d+), (\d+), \d+, \d+\}", SIZES)]
SECRET = math.sqrt(2 / 3)  # deviation of a uniform ternary coordinate

failures = []


def require(condition, text):
    print(("  " if condition else "  NOT SO: ") + text)
    if not condition:
        failures.append(text)


def delta(beta):
    """log2 of the root Hermite factor."""
    return math.log2((math.pi * beta) ** (1 / beta) * beta / (2 * math.pi * math.e)) / (2 * (beta - 1))


def reduction(beta, d):
    return 0.292 * beta + 16.4 + math.log2(8 * d)


def primal(n, q, deviation):
    """Alkim, Ducas, Poeppelmann, Schwabe, USENIX Security 2016, section 6.3, with the secret's coordinates scaled to the
    error's (Bai, Galbraith, ACISP 2014). Bits, block size."""
    scale = math.log2(deviation / SECRET)
    for beta in range(60, 4000):
        for m in range(n // 4, 2 * n, n // 64):
            d = m + n + 1
            if math.log2(deviation * math.sqrt(beta)) <= delta(beta) * (2 * beta - d - 1) + (m * q + n * scale) / d:
                return reduction(beta, d), beta
    raise AssertionError


def samples(n, q, scale, beta):
    return max(1, min(int(math.sqrt(n * (q - scale) / delta(beta))) - n, 2 * n))


def around(n, q, deviation):
    _, beta = primal(n, q, deviation)
    return range(beta - 40, beta + 40, 2)


def hybrid(n, q, deviation):
    """Howgrave-Graham, CRYPTO 2007: k coordinates of the secret are guessed, meeting in the middle and as if all meetings
    were found; the nearest plane on the reduced rest succeeds as the series says (Wunderer, 2016). Bits, k, block size."""
    scale, best = math.log2(deviation / SECRET), (math.inf,)
    for k in range(0, 300, 10):
        for beta in around(n, q, deviation):
            m = samples(n - k, q, scale, beta)
            d = m + n - k + 1
            volume = (m * q + (n - k) * scale) / d
            success = 0.0
            for i in range(d - 1, -1, -1):  # from the shortest vector
                half = 2 ** (volume + delta(beta) * (d - 1 - 2 * i) - 1) / (deviation * math.sqrt(2))
                if half > 6:
                    break
                success += math.log2(max(math.erf(half), 1e-300))
            guesses = k * math.log2(3) / 2 + 2 * math.log2(d) - 1.06
            best = min(best, (max(reduction(beta, d), guesses) - success, k, beta))
    return best


def dual(n, q, deviation):
    """Albrecht, EUROCRYPT 2017, with k guessed coordinates told apart at once by a Fourier transform (Guo, Johansson, ASIACRYPT
    2021, without rounding), and 2^(0.2075 b) short vectors from each sieve, sqrt(4/3) longer than the shortest. Ducas and
    Pulles, CRYPTO 2023, show that such estimates are too good for the attacker. Bits, k, block size."""
    scale, best = math.log2(deviation / SECRET), (math.inf,)
    for k in range(0, 160, 4):
        for beta in around(n, q, deviation):
            m = samples(n - k, q, scale, beta)
            d = m + n - k
            length = delta(beta) * d + (n - k) * (q - scale) / d + 0.5 * math.log2(4 / 3)
            advantage = 2 * math.pi ** 2 * 4 ** (length + math.log2(deviation) - q) / math.log(2)  # -log2
            vectors = 2 * advantage + math.log2(2 * (k * math.log(3) + 1))
            transform = k * math.log2(3) + math.log2(max(k, 1))
            bits = max(reduction(beta, d) + max(0, vectors - 0.2075 * beta), vectors, transform)
            best = min(best, (bits, k, beta))
    return best


def attacks(n, q, deviation):
    bits = {"primal": primal(n, q, deviation), "hybrid": hybrid(n, q, deviation), "dual": dual(n, q, deviation)}
    for name, figures in bits.items():
        print(f"    {name:7} 2^{figures[0]:.1f}, block size {figures[-1]}"
              + (f", {figures[1]} coordinates guessed" if len(figures) > 2 else ""))
    return min(figures[0] for figures in bits.values())


def linearisation(n):
    """Arora, Ge, ICALP 2011, with m samples: degree D with m C(n, D - v) >= C(n, D), v the number of an error's values."""
    values, log_m = 2 * BOUND + 1, 36
    comb = lambda a, b: (math.lgamma(a + 1) - math.lgamma(b + 1) - math.lgamma(a - b + 1)) / math.log(2)
    degree = values
    while log_m + comb(n, degree - values) < comb(n, degree):
        degree += 1
    require(2 * comb(n, degree) > 128, f"linearisation with 2^{log_m} samples has 2^{comb(n, degree):.0f} unknowns")


def main():
    for n, q, deviation, bits in KNOWN:
        print(f"the standard's N = {n}, log2 q = {q}, deviation {deviation:.2f}")
        least = attacks(n, q, deviation)
        require(abs(least - bits) < 2, f"2^{least:.1f}, and the standard says {bits} bits")
    for n, q, deviation in OURS:
        print(f"ours: N = {n}, log2 q = {q}, deviation {deviation:.2f}")
        least = attacks(n, q, deviation)
        require(least >= 128, f"2^{least:.1f}")
        print(f"  with the standard's deviation, and {math.log2(math.sqrt((STANDARD ** 2 + 0.25) / (DEVIATION ** 2 + 0.25))):.1f} "
              "bits less of the flood:")
        attacks(n, q, STANDARD)
        linearisation(n)
    if failures:
        print("\n".join(["failed:", *failures]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
