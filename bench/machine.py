"""What a figure depends on besides the code: the machine, the kernel and its settings."""

import datetime
import mmap
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "tests", "apps"))
import host


def facts():
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "machine": f"{processor()}, {os.cpu_count()} CPUs, {_field('/proc/meminfo', 'MemTotal') >> 10} MiB",
        "kernel": os.uname().release,
        "thp": chosen("/sys/kernel/mm/transparent_hugepage/enabled"),
        "shmem_thp": chosen("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
        "load": os.getloadavg()[0],
    }


def available():
    return _field("/proc/meminfo", "MemAvailable") * 1024


def warm(size):
    """Touches so much free memory once and gives it back. What the host had taken comes back now and not while something is timed:
    it costs 3 s a GiB, and who uses more memory than the other side would pay for it."""
    size = min(size, available() - (1 << 30))
    if size <= 0:
        return
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        for page in range(0, size, 4096):
            memory[page] = 1


def memory_kept():
    """Said when host.memory_stays() had nothing to pause."""
    if os.path.exists(host.ORDER):
        return "This virtual machine gives free memory back to its host; somebody else had paused that already."
    return "Free memory is not given back to a host."


def commit():
    """Of the sources beside us, with a plus where they differ from it."""
    said = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty=+"], capture_output=True, text=True)
    return said.stdout.strip() or "unknown"


def processor():
    with open("/proc/cpuinfo") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def chosen(path):
    try:
        with open(path) as text:
            words = text.read().split()
    except OSError:
        return "none"
    return next((word[1:-1] for word in words if word.startswith("[")), "unknown")


def _field(path, name):
    with open(path) as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))
