"""many.py SD_RUN PROGRAM RECORDS CLIENTS COUNT: CLIENTS hospitals' processes at once, with one store, against one
service; each runs COUNT records. Prints how many ended well, and whether no inference was used twice."""
import re
import subprocess
import sys
import tempfile

sd_run, program, records = sys.argv[1:4]
clients, count = int(sys.argv[4]), int(sys.argv[5])


def serve(folder, extra):
    process = subprocess.Popen([sd_run, "--party", "0", program, "--address", "127.0.0.1:0", "--store", f"{folder}/s0",
                                "--serve", "--timeout", "20"] + extra, stderr=subprocess.PIPE, text=True)
    port = re.search(r"listening on .*:(\d+)", process.stderr.readline())[1]
    return process, [sd_run, "--party", "1", program, "--address", f"127.0.0.1:{port}", "--store", f"{folder}/s1",
                     "--timeout", "20"]


with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/x.csv", "w") as file:
        file.write(open(records).readline() * count)
    service, client = serve(folder, ["--prepare", str(clients * count)])
    subprocess.run(client + ["--prepare", str(clients * count)], check=True, timeout=60, stderr=subprocess.DEVNULL)
    service.kill()
    service.communicate()

    service, client = serve(folder, ["--sessions", str(clients), "--verbose"])
    running = [subprocess.Popen(client + ["--input", f"{folder}/x.csv", "--verbose"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True) for _ in range(clients)]
    said = [process.communicate(timeout=60)[1] for process in running]
    service.kill()
    served = service.communicate()[1]
    names = re.findall(r"using stored inference (\S+)", "".join(said))
    theirs = re.findall(r"using stored inference (\S+)", served)
    well = sum(process.returncode == 0 for process in running)
    print(f"{well} of {clients} ended well, {len(names)} inferences, {len(set(names))} different, "
          f"the same on both sides: {sorted(names) == sorted(theirs)}")
    sys.stdout.write("".join(line + "\n" for text in said for line in text.splitlines() if "using" not in line))
