"""error.py < the output of sdc check: whether the largest error is below 1 % of the largest output."""
import re
import sys

largest, most = map(float, re.search(r"largest ([0-9.e+-]+), of outputs up to ([0-9.e+-]+)", sys.stdin.read()).groups())
print("below 1 %" if largest < 0.01 * most else f"{largest} of {most}")
