#!/usr/bin/python3
"""Compiles and runs the networks of the MediSC paper, two processes, and prints its tables. run.sh calls it."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import onnx

import networks
import records

# Half-gates garbled circuits (emp-sh2pc), 32 bits, streamed, and their online phase alone: docs/benchmarks.md.
CIRCUITS = {"Relu": {"all": (5.2e-6, 4004), "online": (1.8e-6, 520)}, "MaxPool": {"all": (17.8e-6, 13700), "online": (5.9e-6, 2068)}}
PAPER = {"Relu": (24, 868), "MaxPool": (20, 314)}


class Runner:
    """The programs, a folder for files, and the address between the two processes."""

    def __init__(self, folder, out, address):
        self.folder, self.out, self.address = folder, out, address

    def path(self, name):
        return os.path.join(self.out, name)

    def sdc(self, *arguments):
        done = subprocess.run([os.path.join(self.folder, "sdc"), *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"sdc {arguments[0]} failed with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def check(self, model, scale, x, y):
        np.save(self.path("x.npy"), x)
        labels = []
        if y is not None:
            np.save(self.path("y.npy"), y)
            labels = ["--labels", self.path("y.npy")]
        return json.loads(self.sdc("check", model, "--scale", scale, "--input-range", "0,1", "--data", self.path("x.npy"),
                                   *labels, "--json"))

    def compile(self, model, scale, span="0,1"):
        program = self.path("model.sdb")
        self.sdc("compile", model, "-o", program, "--scale", scale, "--input-range", span)
        return json.loads(self.sdc("inspect", program, "--json"))["cost"]

    def run(self, x):
        """Outputs of the service's and the hospital's processes on these records, and the hospital's figures."""
        np.save(self.path("x.npy"), x)
        command = [os.path.join(self.folder, "sd-run"), self.path("model.sdb"), "--address", self.address, "--party"]
        with open(self.path("service.log"), "w+") as log:
            service = subprocess.Popen([*command, "0"], stdout=log, stderr=log)
            hospital = subprocess.run([*command, "1", "--input", self.path("x.npy"), "--output", self.path("y.npy"),
                                       "--stats", self.path("stats.json")], capture_output=True, text=True)
            if hospital.returncode:
                service.terminate()
            service.wait()
            if hospital.returncode or service.returncode:
                log.seek(0)
                sys.exit(f"the run failed:\n{hospital.stderr}{log.read()}")
        with open(self.path("stats.json")) as file:
            return np.load(self.path("y.npy")).reshape(len(x), -1), json.load(file)


def traffic(phase):
    return phase["bytes_sent"] + phase["bytes_received"]


def percent(right, of):
    return "" if right is None else f"{100 * right / of:.1f} %"


def secured(right, of):
    return "" if right is None else f"{100 * right / of:.1f} % of {of}"


def measure(runner, network, scales, x, y, options):
    """Rows of the tables of accuracy and of cost: one each for each scale."""
    model = runner.path(network.name + ".onnx")
    onnx.save(networks.model(network, options.weights), model)
    x, y = x[:options.checked], None if y is None else y[:options.checked]
    accuracy, cost = [], []
    for scale in scales:
        checked = runner.check(model, scale, x, y)
        predicted = runner.compile(model, scale)
        count = min(len(x), options.records if network.name != "c1" else options.large_records)
        secure, stats = runner.run(x[:count])
        chosen = secure.argmax(axis=1)
        same = sum(int(c) == each["fixed"] for c, each in zip(chosen, checked["each"]))
        right = None if y is None else int((chosen == y[:count]).sum())
        accuracy.append((network.title, scale, len(x), percent(checked.get("float_right") if y is not None else None, len(x)),
                         percent(checked.get("fixed_right") if y is not None else None, len(x)), secured(right, count),
                         f"{checked['same_class']} of {len(x)}", f"{same} of {count}"))
        offline, online = stats["offline"], stats["online"]
        later = offline["record_seconds"][1:] or offline["record_seconds"]
        first = stats["setup"]["seconds"] + offline["record_seconds"][0]
        cost.append((network.title, scale, f"{1e3 * statistics.median(online['record_seconds']):.2f}", f"{traffic(online) / count / 1e6:.4f}",
                     predicted["online"]["round_trips"], f"{1e3 * statistics.median(later):.1f}", f"{1e3 * first:.0f}",
                     f"{(traffic(offline) + traffic(stats['setup'])) / count / 1e6:.3f}",
                     offline["messages_sent"] + offline["messages_received"], count))
        if same != count:
            sys.exit(f"{network.title}, scale {scale}: {count - same} secure results differ from the fixed-point program's")
    return accuracy, cost


def elements(runner, op, count, repeats):
    """Seconds and bytes of one element of 30 bits: online alone, and both phases."""
    model = networks.element(op, count)
    path = runner.path("element.onnx")
    onnx.save(model, path)
    runner.compile(path, 1024, "-500000,500000")  # of a smaller range, comparisons have fewer bits
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(1).uniform(-500000, 500000, (repeats, *shape[1:])).astype(np.float32)
    _, stats = runner.run(x)
    offline, online = stats["offline"], stats["online"]
    later = offline["record_seconds"][1:] or offline["record_seconds"]
    seconds = statistics.median(online["record_seconds"]) / count
    size = sum(each["bytes_sent"] + each["bytes_received"] for each in online["ops"]
               if each["op"] not in ("share.input", "share.output")) / (count * repeats)
    return {"online": (seconds, size), "all": (seconds + statistics.median(later) / count, size + traffic(offline) / (count * repeats))}


def show(title, head, rows):
    rows = [tuple(map(str, row)) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    print(f"\n{title}")
    for row in rows:
        print("  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]).rstrip())


def main():
    parser = argparse.ArgumentParser(prog="run.sh", description="The tables of the MediSC paper, with this machine's figures.")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--address", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--data", metavar="FOLDER", help="original files of the data sets (README.md lists them), for whole test sets")
    parser.add_argument("--weights", metavar="W.npz", help="weights that train.py has written")
    parser.add_argument("--only", metavar="NAMES", default=",".join(networks.NETWORKS), help="m1,m2,c1,bc,di,li,th and elements; default: all")
    parser.add_argument("--records", type=int, default=120, metavar="N", help="records of a secure run (120)")
    parser.add_argument("--large-records", type=int, default=5, metavar="N", help="the same for C1 (5)")
    parser.add_argument("--checked", type=int, default=1000, metavar="N", help="records of the accuracy in floats and fixed point (1000)")
    parser.add_argument("--elements", type=int, default=65536, metavar="N", help="elements of the ReLU and windows of the max-pool (65536)")
    options = parser.parse_args()
    names = options.only.split(",")
    unknown = [name for name in names if name not in networks.NETWORKS and name != "elements"]
    if unknown or min(options.records, options.large_records, options.checked, options.elements) < 1:
        parser.error(f"no such network: {', '.join(unknown)}" if unknown else "numbers are 1 or more")
    if options.data and not os.path.isdir(options.data):
        parser.error(f"{options.data}: not a folder")
    if options.weights and not os.path.isfile(options.weights):
        parser.error(f"{options.weights}: no such file")
    if options.only == parser.get_default("only"):
        names.append("elements")

    accuracy, cost, without, few = [], [], [], []
    with tempfile.TemporaryDirectory() as out:
        runner = Runner(options.bin, out, options.address)
        for name in names:
            if name == "elements":
                continue
            network = networks.NETWORKS[name]
            print(f"running {network.title}", file=sys.stderr)
            x, y = records.load(network, options.data)
            (without if y is None else few if len(x) <= 24 else []).append(network.title.split(":")[0].split(",")[0])
            scales = sorted({network.paper_scale or 1024, 1024})
            for table, rows in zip((accuracy, cost), measure(runner, network, scales, x, y, options)):
                table += rows
        measured = {}
        if "elements" in names:
            print("running ReLU and max-pool alone", file=sys.stderr)
            measured = {op: elements(runner, op, options.elements, 5) for op in CIRCUITS}

    print(f"{os.cpu_count()} processors; load average {os.getloadavg()[0]:.1f} (of an idle machine 1 to 2: higher loads make times longer)")
    if accuracy:
        show("Accuracy",
             ("network", "scale", "records", "floats", "fixed", "secure", "fixed = floats", "secure = fixed"), accuracy)
        if without:
            print(f"{', '.join(without)}: on random images; accuracy needs --data FOLDER (README.md).")
        if few:
            print(f"{', '.join(few)}: on the 24 test records that are here; --data FOLDER takes whole test sets.")
        show("A record, both parties on this machine, two processes over loopback TCP (medians; bytes in both directions, means with set-up)",
             ("network", "scale", "online ms", "MB", "round trips", "offline ms", "first, with set-up", "MB", "messages a session", "records"), cost)
    if measured:
        rows = []
        for op, label in (("Relu", "ReLU"), ("MaxPool", "max-pool 2x2")):
            for phase in ("online", "all"):
                (time, size), (gate_time, gate_size) = measured[op][phase], CIRCUITS[op][phase]
                rows.append((label, {"online": "online", "all": "both phases"}[phase], f"{1e6 * time:.3f}", f"{size:.1f}",
                             f"{1e6 * gate_time:.1f}", gate_size, f"{gate_time / time:.1f}", f"{gate_size / size:.0f}",
                             *(PAPER[op] if phase == "all" else ("", ""))))
        show("An element, and garbled circuits (emp-sh2pc, measured on another machine: docs/benchmarks.md; the paper's ratios are to FlexSC)",
             ("op", "phase", "us", "bytes", "circuit us", "bytes", "times faster", "fewer bytes", "paper: faster", "fewer bytes"), rows)


main()
