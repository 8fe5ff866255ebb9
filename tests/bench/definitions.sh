#!/bin/sh
# What a whole process takes to list many employees, and to refuse a bomb: the best of ten runs, on the clock and on the
# processors (which says more on a machine that does other things too), and the most memory.
#
#   tests/bench/definitions.sh target/release/knowlyr-crew
set -eu
program=$(realpath "${1:?the program}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

exec python3 - "$program" "$folder" <<'PYTHON'
import os, pathlib, resource, subprocess, sys, time

program, folder = sys.argv[1], pathlib.Path(sys.argv[2])


# A process counts what its parent held when it was started, so a small one starts the program.
SMALL = """
import os, sys
null = os.open(os.devnull, os.O_WRONLY)
files = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=files)
print(os.wait4(child, 0)[2].ru_maxrss)
"""


def memory_of(words, where):
    words = [sys.executable, "-S", "-c", SMALL, program, *words]
    return int(subprocess.run(words, cwd=where, stdout=subprocess.PIPE, check=True).stdout) / 1024


def best(words, where, runs=10, code=0):
    times, cpu = [], []
    for _ in range(runs):
        started = time.perf_counter()
        process = subprocess.Popen(
            [program, *words], cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        times.append(time.perf_counter() - started)
        cpu.append(usage.ru_utime + usage.ru_stime)
        assert os.waitstatus_to_exitcode(status) == code, (words, status)
    return min(times) * 1000, min(cpu) * 1000, memory_of(words, where)


def told(what, measured):
    print(f"{what:<36} {measured[0]:8.1f} ms {measured[1]:8.1f} ms of processor {measured[2]:7.1f} MiB")


told("--version", best(["--version"], folder))
for count in (0, 1000, 5000):
    root = folder / str(count)
    employees = root / "private/employees"
    employees.mkdir(parents=True)
    for number in range(count):
        (employees / f"worker-{number}.md").write_text(
            f"---\nname: worker-{number}\ndisplay_name: 第 {number} 位\ndescription: Looks at things\n"
            f"tags: [a, b]\ntriggers: [w{number}, 工{number}]\nargs:\n  - name: target\n    required: true\n---\n\n"
            + "Look at $target. " * 40
        )
    told(f"list of {count} employees", best(["list", "--json"], root))

bombs = {
    "aliases": "---\nname: x\ndescription: y\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30))
    + "---\nbody\n",
    "depth": "---\nname: " + "[" * 500_000 + "\n---\nbody\n",
    "size": "---\nname: x\ndescription: y\n" + "".join(f"k{n}: x\n" for n in range(60_000)) + "---\nbody\n",
    "one line": "---\nname: x\ndescription: " + "y" * 900_000 + "\n---\nbody\n",
    "a gigabyte": None,
}
nothing = best(["validate", str(folder)], folder, code=1)
told("validate of nothing", nothing)
for name, text in bombs.items():
    path = folder / f"{name.replace(' ', '-')}.md"
    if text is None:
        with path.open("wb") as file:
            file.truncate(1 << 30)
    else:
        path.write_text(text)
    measured = best(["validate", str(path)], folder, code=1)
    told(f"bomb of {name}, above nothing", [one - other for one, other in zip(measured, nothing)])
PYTHON
