"""crash.py SD_RUN PROGRAM RECORDS [ROUNDS [SEED]]: kills either party at random moments while both prepare or use
stored inferences, and checks what is left.

RECORDS is a CSV file whose first line is used. Party 0 and party 1 have a store each. In each round both prepare a few
inferences, or use a few, and one of them gets SIGKILL: a random time after the start, or a moment after it has named a
random inference (or never, where the run is over by then). The names of the inferences come from --verbose, which prints one before the first bit that depends on it is
sent. Then: no name was used twice by either party, a run that came to its end used the same names on both sides, and
what remains in the stores works to the last.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sd_run, program, records = sys.argv[1:4]
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 30
seed = int(sys.argv[5]) if len(sys.argv) > 5 else random.randrange(1 << 30)
rng = random.Random(seed)
work = tempfile.mkdtemp(prefix="sd-crash-")
line = open(records).readline()
used = {0: [], 1: []}
made = set()
events = {"killed": 0, "whole": 0, "reported": 0}


def check(condition, what):
    if not condition:
        sys.exit(f"seed {seed}: {what} (see {work})")


def start(party, port, extra):
    log = open(f"{work}/log{party}", "a+")  # appending: the position is shared with the process
    log.truncate(0)
    command = [sd_run, "--party", str(party), program, "--address", f"127.0.0.1:{port}", "--store",
               f"{work}/store{party}", "--timeout", "20", "--verbose"] + extra
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log), log


def text(log):
    log.seek(0)
    return log.read()


def waitFor(process, log, names, limit):
    """Until the process has named so many inferences or is over."""
    deadline = time.time() + limit
    while text(log).count(" stored inference ") < names and process.poll() is None and time.time() < deadline:
        time.sleep(0.0005)


def run(prepare, count, kill=None):
    """One run of both parties; kill: (party, names to wait for, seconds). Gives exit codes and what was said."""
    if prepare:
        extra = {0: ["--prepare", str(count)], 1: ["--prepare", str(count)]}
    else:
        with open(f"{work}/x.csv", "w") as file:
            file.write(line * count)
        extra = {0: [], 1: ["--input", f"{work}/x.csv"]}
    parties = {0: start(0, 0, extra[0])}
    port, deadline = None, time.time() + 20
    while port is None and time.time() < deadline and parties[0][0].poll() is None:
        match = re.search(r"listening on .*:(\d+)", text(parties[0][1]))
        port = match and match[1]
        time.sleep(0.001)
    check(port, f"party 0 does not listen: {text(parties[0][1])}")
    parties[1] = start(1, port, extra[1])
    if kill:
        waitFor(*parties[kill[0]], kill[1], 20)
        time.sleep(kill[2])
        parties[kill[0]][0].kill()
        survivor = parties[1 - kill[0]][0]
        try:  # it may wait for a peer that it never met
            survivor.wait(0.3)
        except subprocess.TimeoutExpired:
            survivor.kill()
    codes, said = {}, {}
    for party, (process, log) in parties.items():
        codes[party] = process.wait(60)
        said[party] = text(log)
        log.close()
        check(codes[party] in (0, 5, 6, -9), f"party {party} ended with {codes[party]}: {said[party]}")
    names = {party: re.findall(r"using stored inference (\S+)", said[party]) for party in said}
    for party in used:
        used[party] += names[party]
        check(len(set(used[party])) == len(used[party]), f"party {party} used an inference twice: {names[party]}")
    for party in said:
        made.update(re.findall(r"made stored inference (\S+)", said[party]))
    if codes == {0: 0, 1: 0}:
        check(names[0] == names[1], "the parties used different inferences")
        check(prepare or len(names[0]) == count, f"{len(names[0])} inferences for {count} records")
    events["killed"] += -9 in codes.values()
    events["whole"] += codes == {0: 0, 1: 0}
    events["reported"] += any("discarded" in words for words in said.values())
    return codes, said


def left(party):
    return sum(name.endswith(".ready") for _, _, names in os.walk(f"{work}/store{party}") for name in names)


# How long an undisturbed run takes here: the moments to choose from.
durations = {}
for prepare in (True, False):
    begin = time.time()
    codes, said = run(prepare, 4)
    check(codes == {0: 0, 1: 0}, f"an undisturbed run failed: {said}")
    durations[prepare] = time.time() - begin
for number in range(rounds):
    prepare = rng.random() < 0.5 or min(left(0), left(1)) < 3
    names = rng.choice([0, 1, 1, 2, 3])
    delay = rng.random() * (0.003 if names else 1.2 * durations[prepare])
    run(prepare, 4 if prepare else 3, (rng.randrange(2), names, delay))

# What remains is good, on both sides the same, and nothing but whole inferences.
codes, said = run(True, 2)
check(codes == {0: 0, 1: 0}, f"preparing after the crashes failed: {said}")
while True:
    codes, said = run(False, 1)
    if codes != {0: 0, 1: 0}:
        break
check("hold 0 prepared inference(s)" in said[1], f"a remaining inference does not work: {said}")
check(not any("damaged" in words for words in said.values()), "a damaged inference remained")
for party in (0, 1):
    rest = [name for _, _, names in os.walk(f"{work}/store{party}") for name in names]
    check(rest == ["key"], f"party {party} keeps {rest}")
    check(set(used[party]) <= made, "an inference was used that was never made")
check(events["killed"] >= rounds // 3, f"too few of the runs were killed: {events}")
shutil.rmtree(work)
print(f"{rounds} rounds: nothing was used twice, what remained worked")
print(f"seed {seed}: {events}, {len(made)} made, used {len(used[0])} and {len(used[1])}", file=sys.stderr)
