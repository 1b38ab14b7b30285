"""Runs both parties as processes: both.py SD_RUN [--deal SD_DEAL] ARGS0 -- ARGS1 [-- ARGS1 ...].

Party 0 gets a free port, its number goes to every party 1 in turn; with --deal a dealer is there as well. Prints what
each process wrote, party 1 first, and its exit code. Every wait is bounded.
"""
import re
import subprocess
import sys


def start(command):
    """Starts a listening process; gives it and the port that it prints."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    match = re.search(r"listening on .*:(\d+)$", line.strip())
    if not match:
        print(f"party 0: {line.strip()}\nparty 0: exit {process.wait(60)}")
        sys.exit(0)
    return process, match.group(1)


def show(name, out, err, code):
    for line in out.splitlines() + err.splitlines():
        print(f"{name}: {line}")
    print(f"{name}: exit {code}")


args = sys.argv[1:]
sd_run, dealer, preprocess = args.pop(0), None, []
if args[0] == "--deal":
    dealer, port = start([args[1], "--address", "127.0.0.1:0", "--timeout", "20"])
    preprocess, args = ["--preprocess", f"dealer=127.0.0.1:{port}"], args[2:]
parties = [[]]
for arg in args:
    parties.append([]) if arg == "--" else parties[-1].append(arg)

common = preprocess + ([] if "--timeout" in args else ["--timeout", "20"])
service, port = start([sd_run, "--party", "0", "--address", "127.0.0.1:0"] + common + parties[0])
for party in parties[1:]:
    client = subprocess.run([sd_run, "--party", "1", "--address", f"127.0.0.1:{port}"] + common + party,
                            capture_output=True, text=True, timeout=60)
    show("party 1", client.stdout, client.stderr, client.returncode)
if "--serve" in parties[0]:
    service.terminate()
out, err = service.communicate(timeout=60)
show("party 0", out, err, service.returncode)
if dealer:
    dealer.terminate()
    out, err = dealer.communicate(timeout=60)
    show("dealer", out, err, dealer.returncode)
