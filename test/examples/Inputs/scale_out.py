"""Hospitals at work while a worker is killed, the database is restarted and another worker is drained: scale_out.py
EXAMPLE SD_SERVE PROGRAM RECORDS FOLDER. Steps follow on results that have come, not on time."""
import os
import re
import shutil
import subprocess
import sys
import threading

example, serve, program, records, folder = sys.argv[1:]
tools = os.path.dirname(serve)
sys.path.insert(0, example)
import cluster as scale_out  # noqa: E402

EACH, HOSPITALS = 8, 3
CLEAN = {1, 5, 6}  # the database, the link, refused: docs/running.md
shutil.rmtree(folder, ignore_errors=True)

done, failed, used, problems = 0, 0, [], []
lock = threading.Condition()


def ask(cluster, *options):
    return subprocess.run(cluster.hospital("--store", f"{folder}/hospital-store", "--timeout", "60", *options),
                          capture_output=True, text=True, timeout=300)


def work(cluster):
    global done, failed
    for _ in range(EACH):
        for _ in range(40):
            run = ask(cluster, "--input", records, "--verbose")
            with lock:
                used.extend(re.findall(r"using stored inference (\S+)", run.stderr))
                if run.returncode == 0:
                    if not re.fullmatch(r"values: 2\.[12]\d*, -?\d\S*\n", run.stdout):
                        problems.append(run.stdout)
                    done += 1
                    lock.notify_all()
                    break
                failed += 1
                if run.returncode not in CLEAN:
                    problems.append(f"exit {run.returncode}: {run.stderr}")
        else:
            problems.append(f"no session out of 40 succeeded: {run.stderr}")
            with lock:
                done += 1
                lock.notify_all()


def when(count):
    with lock:
        lock.wait_for(lambda: done >= count)


with scale_out.Cluster(tools, program, folder) as cluster:
    prepared = ask(cluster, "--prepare", "150")
    print("prepared: exit", prepared.returncode, prepared.stderr.strip() if prepared.returncode else "")
    hospitals = [threading.Thread(target=work, args=(cluster,)) for _ in range(HOSPITALS)]
    for one in hospitals:
        one.start()
    first, second, _ = cluster.workers
    when(4)
    first.kill()
    when(9)
    cluster.database.stop()
    cluster.database.start()
    when(14)
    first.start()
    scale_out.wait_for("the first worker", first.is_ready)
    print("drained: exit", second.drain())
    for one in hospitals:
        one.join()
    print("done:", done, "problems:", problems)
    spent = cluster.database.sql("SELECT id FROM sd_spent").split()
    print("used twice:", len(used) - len(set(used)), "of", "some" if len(used) >= EACH * HOSPITALS else "too few")
    print("spent twice:", len(spent) - len(set(spent)), "used without being spent:", len(set(used) - set(spent)))
    checked = subprocess.run([f"{tools}/sd-store", "verify", cluster.database.url(), "--store-key",
                              f"{cluster.folder}/store.key"], capture_output=True, text=True)
    print("left:", re.sub(r"^\d+", "all", checked.stdout.strip()) + checked.stderr)
    workers = cluster.database.sql("SELECT count(DISTINCT worker) FROM sd_spent")
    print("workers that served:", "several" if int(workers) > 1 else workers)
    left = cluster.database.sql("SELECT count(*) FROM sd_entry WHERE state = 'r'")
    # A session that fails after the hospital has taken its share and before the service has leaves the service with one
    # that the hospital lacks: discarded unspent when they compare next.
    discarded = 150 - int(left) - len(spent)
    print("neither ready nor spent:", "one for a failed session at most" if 0 <= discarded <= failed else discarded)
    logs = "".join((cluster.folder / f"{w.name}.log").read_text() for w in cluster.workers)
    print("addresses in the log:", sorted(set(re.findall(r"session .*?peer=(127\.0\.0\.1):", logs))))
    print("failed and repeated:", failed, file=sys.stderr)
