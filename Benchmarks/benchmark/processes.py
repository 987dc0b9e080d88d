"""Starting, waiting for and ending the processes of a measurement.

Everything runs in the foreground as a child of the benchmark, is ended by its own process ID, and dies with the
benchmark even if that is killed. Used by machine.py (tools), switches.py (switches) and rows.py.
"""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


class Invalid(Exception):
    """A measurement that means nothing, and why."""


def child_setup(cores):
    """What a child does before it becomes the program: dies with its parent, and may run on `cores` alone."""

    def setup():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, cores)

    return setup


def run(*command, cores=None, timeout=60, environment=None):
    """The standard output of a command that must succeed."""
    try:
        finished = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            preexec_fn=child_setup(cores or os.sched_getaffinity(0)),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Invalid(f"{' '.join(map(str, command))}: no end after {timeout} s") from None
    if finished.returncode:
        reason = (finished.stderr or finished.stdout).strip()[-400:]
        raise Invalid(f"{' '.join(map(str, command))}: status {finished.returncode}: {reason}")
    return finished.stdout


class Process:
    """A process in the background. Its standard input and output are pipes if `pipes`; otherwise it writes to `log`."""

    def __init__(self, command, log: Path, cores, pipes=False, environment=None):
        self.log = log
        self.name = Path(command[0]).name
        with open(log, "ab") as output:
            # A session of its own: a Ctrl-C at the terminal reaches the benchmark alone, which then ends this in order.
            self.popen = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else output,
                stderr=output,
                text=True,
                bufsize=1,
                env=environment,
                start_new_session=True,
                preexec_fn=child_setup(cores),
            )

    @property
    def pid(self):
        return self.popen.pid

    def require_alive(self):
        status = self.popen.poll()
        if status is not None:
            raise Invalid(f"{self.name} ended by itself with status {status}; the end of its log:\n{self.tail()}")

    def ask(self, line):
        """Writes a line to its standard input; returns the line that it answers with."""
        try:
            self.popen.stdin.write(line + "\n")
            answer = self.popen.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            self.popen.wait(5)
            self.require_alive()
        return answer

    def wait_for(self, ready, what, seconds=60):
        """Until `ready()` is true; the process must live so long."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.require_alive()
            if time.monotonic() > deadline:
                raise Invalid(f"{self.name}: no {what} within {seconds} s; the end of its log:\n{self.tail()}")
            time.sleep(0.05)

    def tail(self):
        try:
            return self.log.read_text(errors="replace")[-1500:]
        except OSError:
            return "(none)"

    def stop(self, seconds=15):
        """Ends the process; returns whether it ended when it was asked to."""
        if self.popen.poll() is None:
            if self.popen.stdin:
                self.popen.stdin.close()
            self.popen.terminate()
        try:
            self.popen.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            return False
        finally:
            if self.popen.stdout:
                self.popen.stdout.close()


class Threads:
    """The processor time of a process' threads, in ticks, from one moment on."""

    TICKS = os.sysconf("SC_CLK_TCK")

    def __init__(self, pid):
        self.pid = pid
        self.started = time.monotonic()
        self.ticks = self.read()

    def read(self):
        ticks = {}
        for stat in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            try:
                # The name in parentheses may hold blanks; utime and stime are fields 14 and 15.
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks[int(stat.parent.name)] = int(fields[11]) + int(fields[12])
        return ticks

    def shares(self):
        """For each thread the part of one core that it took since the beginning."""
        elapsed = time.monotonic() - self.started
        return {
            thread: (ticks - self.ticks.get(thread, 0)) / self.TICKS / elapsed for thread, ticks in self.read().items()
        }

    def pinned_to(self, core):
        """The threads that may run on that core alone."""
        pinned = []
        for thread in self.read():
            try:
                if os.sched_getaffinity(thread) == {core}:
                    pinned.append(thread)
            except ProcessLookupError:
                continue
        return pinned
