#!/usr/bin/env python3
"""return-reports.py RESULTS URL: gives the structured reports of a watched folder back to Orthanc, each once.

For a timer. RESULTS is sd-run's --results folder, with --format dicom-sr; URL is Orthanc's, http://localhost:8042.
What was given back is noted in RESULTS/.returned; Orthanc takes a report that comes twice as the one it has.
"""
import os
import sys
import urllib.request

results, url = sys.argv[1:]
notes = os.path.join(results, ".returned")
returned = set(open(notes).read().splitlines()) if os.path.exists(notes) else set()
for folder, _, names in os.walk(results):
    for name in sorted(names):
        path = os.path.relpath(os.path.join(folder, name), results)
        if name.startswith(".") or not name.endswith(".sr.dcm") or path in returned:
            continue
        with open(os.path.join(results, path), "rb") as report:
            request = urllib.request.Request(f"{url}/instances", report.read(), {"Content-Type": "application/dicom"})
        urllib.request.urlopen(request, timeout=60).close()  # an error ends the run: the next one goes on here
        with open(notes, "a") as file:
            file.write(path + "\n")
        print(path)
