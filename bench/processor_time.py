"""Processor time of a running cloud and of its functions, from /proc: what a frame costs, whatever else the machine does.

A time between two looks depends on who else wants the processors; the processor time hardly does, so two builds
can be compared on a busy machine."""
import glob
import os
import resource


def children_of():
    """pid -> the pids of its children."""
    children = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue  # it has ended
        pid, parent = int(text.split()[0]), int(text.rsplit(")", 1)[1].split()[1])
        children.setdefault(parent, []).append(pid)
    return children


def below(pid, children):
    """All that it has started, and what those have."""
    for child in children.get(pid, []):
        yield child
        yield from below(child, children)


def ns_by_thread(pid):
    found = {}
    for folder in glob.glob(f"/proc/{pid}/task/*"):
        try:
            with open(os.path.join(folder, "schedstat"), encoding="ascii") as file:
                found[folder] = int(file.read().split()[0])
        except OSError:
            continue
    return found


class ProcessorTime:
    """What is used from its making on. Threads that start meanwhile count, those that end are left out."""

    def __init__(self, cloud_pid):
        self.cloud_pid = cloud_pid
        self.before = self.look()
        self.devices_s = self.ended_children_s()

    def look(self):
        functions = {}
        for pid in below(self.cloud_pid, children_of()):
            functions.update(ns_by_thread(pid))
        return {"cloud": ns_by_thread(self.cloud_pid), "functions": functions}

    @staticmethod
    def ended_children_s():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def used_ms(self, frames):
        """Milliseconds a frame, by who used them; the devices are what this process ran meanwhile."""
        devices_s = self.ended_children_s() - self.devices_s
        used = {who: sum(ns - self.before[who].get(thread, 0) for thread, ns in now.items()) / 1e6
                for who, now in self.look().items()}
        used["devices"] = devices_s * 1e3
        return {who: round(ms / max(1, frames), 3) for who, ms in used.items()}
