#!/usr/bin/python3
"""Security estimates of the silent OT extension's parameters (runtime/ot/LpnParameters.h), from formulas.

An instance: A s + e for s of k bits, A of n rows with d ones each, e with one 1 in each of t blocks of b = n / t.
Each attack needs some set of rows to hold no error, or p of them; x is the part of n that is in the set, and then
a set has exactly p errors with probability C(t, p) x^p (1 - x)^(t - p), as blocks are independent. Costs are in bit
operations, memory is free, and an iteration's linear algebra costs no more than (rows)^2: less than any known
algorithm takes (sparse algebra after Wiedemann takes some 3 d (rows)^2).

Fails if an estimate is below 128, or if the experiment at toy size does not agree with its formula.
"""
import heapq
import math
import random
import re
import sys
from math import comb, log2
from pathlib import Path

HEADER = Path(__file__).resolve().parent.parent / "runtime/ot/LpnParameters.h"
FLOOR = 128


def parameters(text):
    """The sets of the header, as (t, log2 b, log2 k), and d."""
    weight = int(re.search(r"kCodeWeight = (\d+);", text).group(1))
    table = re.search(r"kLpnSets\{\{(.*?)\}\};", text, re.S).group(1)
    sets = [tuple(map(int, row)) for row in re.findall(r"\{(\d+), (\d+), (\d+)[^}]*\}", table)]
    claimed = re.search(r"kLpnSecurityBits = (\d+);", text)
    return weight, sets, int(claimed.group(1))


def log2comb(n, p):
    """log2 of C(n, p) for real n >= p."""
    return (math.lgamma(n + 1) - math.lgamma(p + 1) - math.lgamma(n - p + 1)) / math.log(2)


def log2errors(t, x, p):
    """log2 of the probability that a part x of the rows holds exactly p of the t errors."""
    return log2comb(t, p) + p * log2(x) + (t - p) * math.log1p(-x) / math.log(2)


def add(*logs):
    """log2 of a sum of powers of 2."""
    top = max(logs)
    return top + log2(sum(2 ** (v - top) for v in logs))


# Attacks on an instance whose k unknowns meet in `rows` of the n rows. Each returns log2 of its cost.

def gauss(k, n, t):
    """Pooled Gauss: k rows without error (Esser, Kuebler, May, CRYPTO 2017; Liu, Wang, Yang, Yu, EUROCRYPT 2024, 3)."""
    return 2 * log2(k) - log2errors(t, k / n, 0)


def collision(k, n, t):
    """Stern and Dumer, and permutation- and enumeration-based regular ISD (Esser, Santini, CRYPTO 2024, 4): p errors
    among k rows, halves collided on `l` further rows without error."""
    best = math.inf
    for p in range(2, 14, 2):
        half = log2comb(k / 2, p // 2)
        split = log2comb(p, p // 2) - p  # p/2 errors in each half
        for l in range(0, 121, 2):
            success = log2errors(t, (k + l) / n, p) + split
            best = min(best, add(2 * log2(k), half + 1, 2 * half - l) - success)
    return best


def representations(k, n, t):
    """MMT, which BJMM refines (May, Meurer, Thomae, ASIACRYPT 2011; Becker, Joux, May, Meurer, EUROCRYPT 2012): p errors
    among k rows as sums of two of p/2, each found by a collision on log2 C(p, p/2) rows; the last lists collide on l."""
    best = math.inf
    for p in range(4, 18, 4):
        ways = log2comb(p, p // 2)
        base, middle = log2comb(k / 2, p // 4), log2comb(k, p // 2) - ways
        for l in range(0, 161, 2):
            success = log2errors(t, (k + l) / n, p)
            best = min(best, add(2 * log2(k), base, middle, 2 * middle - max(l - ways, 0)) - success)
    return best


def statistical(k, n, t):
    """Statistical decoding (Debris-Alazard, Tillich, ISIT 2017; 2.0: Carrier, Debris-Alazard, Meyer-Hilfiger, Tillich, ASIACRYPT
    2022): parity checks of weight w tell e with (1 - 2 w / n)^(-2t) samples. As if checks of weight k / 4 cost as much as
    elimination, which gives k / 2."""
    return -2 * t * log2(1 - k / (2 * n)) + 2 * log2(k)


def algebraic(k, n, t):
    """Quadratic equations e_i e_j = 0 within blocks (Briaud, Oygarden, EUROCRYPT 2023), after u rows guessed to hold no error
    (their hybrid; Wang et al., CRYPTO 2025, eprint 2025/1284, guess likewise): the degree-2 system is solved when the products
    n^2 / 2t reach the monomials k'^2 / 2. Sparse algebra over M monomials: M^2; nothing for the weight of the rows. Degree
    3: n k' times as many products and k'^3 / 6 monomials, k' (t - 1) / t of which are needed."""
    best = math.inf
    for degree in (2, 3):
        # Monomials of degree D in k' unknowns that the relations leave: the coefficient of z^D in
        # (1 + (n / t) z)^t / (1 + z)^(n - k'), for n' = n - u rows.
        low, high = 0, k - 1
        def regular(u):
            m, kept = n - u, k - u
            b, checks = m / t, m - kept
            if degree == 2:
                return comb2(t) * b * b - m * checks + checks * (checks + 1) / 2
            return (comb3(t) * b ** 3 - comb2(t) * b * b * checks + m * checks * (checks + 1) / 2
                    - checks * (checks + 1) * (checks + 2) / 6)
        if regular(high) > 0:
            continue
        while low < high:
            mid = (low + high) // 2
            low, high = (low, mid) if regular(mid) <= 0 else (mid + 1, high)
        kept = k - low
        best = min(best, 2 * log2comb(kept, degree) - t * math.log1p(-low / n) / math.log(2))
    return best


def comb2(t):
    return t * (t - 1) / 2


def comb3(t):
    return t * (t - 1) * (t - 2) / 6


ATTACKS = (gauss, collision, representations, statistical, algebraic)


# Column subsets. A row is kept if all its places lie in the chosen part c of the columns.

def random_rows(n, k, d, rng):
    return [tuple({rng.randrange(k) for _ in range(d)}) for _ in range(n)]


def peel(rows, k, least):
    """Removes columns, the one with the fewest rows first and those rows with it, until fewer than `least` rows a column
    are left. Returns the pairs (columns, rows) left on the way, and the last one's columns."""
    of_column = [[] for _ in range(k)]
    for i, row in enumerate(rows):
        for j in row:
            of_column[j].append(i)
    degree = [len(c) for c in of_column]
    heap = [(g, j) for j, g in enumerate(degree)]
    heapq.heapify(heap)
    alive, left, rows_left, path = [True] * len(rows), set(range(k)), len(rows), []
    while heap:
        g, j = heapq.heappop(heap)
        if j not in left or g != degree[j]:
            continue
        if rows_left < least * len(left):
            left.add(gone)  # one too many
            return path, left
        path.append((len(left), rows_left))
        gone = j
        left.remove(j)
        for i in of_column[j]:
            if alive[i]:
                alive[i] = False
                rows_left -= 1
                for m in rows[i]:
                    if m in left:
                        degree[m] -= 1
                        heapq.heappush(heap, (degree[m], m))
    return path, left


def subsets(n, k, d, toy=2048):
    """What an attacker may choose: parts of columns and rows, by peeling at toy size with the same n / k."""
    rows = random_rows(round(n / k * toy), toy, d, random.Random(1))
    path, _ = peel(rows, toy, 1)
    step = max(1, len(path) // 60)
    return [(columns / toy, left / len(rows)) for columns, left in path[::-1][::step]]


def estimates(t, log_b, log_k, d):
    """For each attack, log2 of the cost on all columns and on the best subset of them, and that subset's part."""
    n, k = t << log_b, 1 << log_k
    free = t  # the blocks' sums are known: t equations without error
    choices = subsets(n, k, d)
    result = {}
    for attack in ATTACKS:
        whole = attack(k - free, n, t)
        cheapest, part = math.inf, 1.0
        for columns, rows in choices:
            # The picked rows are x = (columns k) / n of all rows, and hold errors like any others. An attack that looks at
            # all rows left has n' = rows n of them, each block's error among them with probability `rows`.
            if attack in (gauss, collision, representations):
                cost = attack(columns * k - free, n, t)
            elif attack is algebraic:
                cost = attack(columns * k - free, rows * n, t)
            else:
                cost = attack(columns * k - free, rows * n, t * rows)
            if cost < cheapest:
                cheapest, part = cost, columns
        result[attack.__name__] = whole, cheapest, part
    return result


def experiment(codes=6, trials=300, t=64, b=24, k=192, d=4):
    """The attack on subsets at toy size: peel, pick independent rows at random, solve, and see whether the solution is the
    secret, with a fresh secret and fresh errors each time. Compares with the formulas how often it is, and how many errors the picked
    rows hold."""
    rng, n = random.Random(5), t * b
    solved, expected, seen, foretold = 0, 0.0, [0] * 4, [0.0] * 4
    for _ in range(codes):
        places = random_rows(n, k, d, rng)
        _, columns = peel(places, k, 1.3)
        kept = [i for i, row in enumerate(places) if columns.issuperset(row)]
        rows = [sum(1 << j for j in row) for row in places]
        for _ in range(trials):
            secret = rng.getrandbits(k)
            errors = {block * b + rng.randrange(b) for block in range(t)}
            rng.shuffle(kept)
            solution, picked = solve([(rows[i], parity(rows[i] & secret) ^ (i in errors)) for i in kept])
            wrong = sum(kept[i] in errors for i in picked)
            chances = [2 ** log2errors(t, len(picked) / n, p) for p in range(4)]
            for p in range(4):
                foretold[p] += chances[p]
                seen[p] += wrong == p
            expected += chances[0]
            solved += all(parity(rows[i] & (solution ^ secret)) == 0 for i in kept)
    print(f"toy: n = {n}, k = {k}, d = {d}, {codes * trials} iterations: {solved} solved, {expected:.0f} foretold")
    print("     sets with p = 0..3 errors:", seen, "foretold:", [round(f) for f in foretold])
    return all(abs(a - f) < 4 * math.sqrt(f) for a, f in zip([solved, *seen], [expected, *foretold]))


def parity(bits):
    return bits.bit_count() & 1


def solve(equations):
    """Gaussian elimination in the order given: a solution of the first independent equations, and which those are."""
    pivots, picked = {}, []
    for i, (row, value) in enumerate(equations):
        while row and row.bit_length() in pivots:
            other, its = pivots[row.bit_length()]
            row, value = row ^ other, value ^ its
        if row:
            pivots[row.bit_length()] = row, value
            picked.append(i)
    solution = 0
    for top in sorted(pivots):
        row, value = pivots[top]
        if parity(row & solution) != value:
            solution |= 1 << (top - 1)
    return solution, picked


def main():
    d, sets, claimed = parameters(HEADER.read_text())
    if claimed < FLOOR or not sets:
        sys.exit(f"{HEADER} claims {claimed} bits for {len(sets)} sets")
    good = True
    print("log2 of the cost in bit operations: on all columns / on the best part of the columns")
    for t, log_b, log_k in sets:
        result = estimates(t, log_b, log_k, d)
        least = min(min(whole, part) for whole, part, _ in result.values())
        good = good and least >= claimed
        print(f"t = {t}, b = 2^{log_b}, k = 2^{log_k}, d = {d}: {least:.1f} bits" + ("" if least >= claimed else "  TOO FEW"))
        for name, (whole, part, columns) in result.items():
            print(f"    {name:16} {whole:6.1f} / {part:6.1f} (at {columns:.2f} k)")
    if not experiment():
        print("the experiment does not agree with the formula")
        good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
