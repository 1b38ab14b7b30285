"""limited.py SECONDS MEGABYTES COMMAND...: runs the command and holds it to so much processor time and resident memory.

Processor time, not time: what else the machine does makes no difference. The limits are far above what a program in
order takes, and far below what one takes whose work grows with the square of its input.
"""
import resource
import subprocess
import sys


def main(seconds, megabytes, command):
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (4 * megabytes << 20, 4 * megabytes << 20))

    code = subprocess.run(command, preexec_fn=limit, check=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code < 0:
        sys.exit(f"killed by signal {-code}: more than {seconds} s of processor time, or a crash")
    if used.ru_maxrss > megabytes << 10:
        sys.exit(f"{used.ru_maxrss >> 10} MiB resident, where {megabytes} are allowed")
    sys.exit(code)


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
