"""A server process and its children: started under an allocator, asked, and weighed."""

import http.client
import os
import signal
import socket
import subprocess
import threading
import time

import allocators as al

START_SECONDS = 30
CLIENTS = 8
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """All processes of the session that `command`, a launcher, leads."""

    def __init__(self, command, port, environment, directory):
        self.port = port
        self.process = subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self):
        if not self.is_ready():
            self.stop()
            al.fail(f"{' '.join(self.process.args)}: the server does not answer")
        return self

    def __exit__(self, *unused):
        self.stop()

    def is_ready(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            except OSError:
                time.sleep(0.05)
        return False

    def pids(self):
        """The session's processes, without the launcher that waits for them."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            fields = self.stat(name)
            if fields and int(fields[3]) == self.process.pid and int(name) != self.process.pid:
                found.append(name)
        return found

    @staticmethod
    def stat(pid):
        """The fields behind the command's name: state, parent, group, session and so on."""
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                return f.read().rsplit(")", 1)[1].split()
        except OSError:
            return None

    def cpu_seconds(self):
        stats = filter(None, map(self.stat, self.pids()))
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICKS

    def megabytes(self):
        """What the processes have resident, shared pages by share."""
        kb = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
                kb += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        return kb / 1024

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def ask(port, users):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for user in users:
        connection.request("GET", f"/{user}")
        response = connection.getresponse()
        if response.status != 200 or not response.read():
            raise RuntimeError(f"status {response.status}")
    connection.close()


def ask_from_clients(server, requests):
    """Each request is another user's, each client has its share of them."""
    failed = []

    def client(first):
        try:
            ask(server.port, range(first, requests, CLIENTS))
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            failed.append(error)

    threads = [threading.Thread(target=client, args=(first,)) for first in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        al.fail(f"a request failed: {failed[0]}")
