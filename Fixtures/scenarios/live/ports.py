#!/usr/bin/env python3
"""The far ends of a live switch's ports, and the switch itself, in a network namespace of this process.

Started by the scenario tests as `unshare --net python3 ports.py COUNT`. Makes COUNT veth pairs, s1-h1, s2-h2, …: the switch
gets the ends s1, s2, …, this program sends and captures at h1, h2, …. It reads one command a line from its standard input and
answers with lines on its standard output:

    start PROGRAM ARGUMENT…   starts the switch (words as a JSON list): started PID
    alive                     running, or ended STATUS
    send PORT HEX             sends a frame into a port: ok
    take                      the frames captured since the last time: PORT HEX on a line each, then end
    get URL                   an HTTP request from within the namespace: the body as a JSON string
    stop                      ends the switch: stopped STATUS

What it started ends with it, and it ends when its standard input does. Python's standard library only.
"""

import ctypes
import json
import signal
import socket
import struct
import subprocess
import sys
import urllib.request

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None)


def run(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def make_ports(count):
    """The sockets at the far ends, by port number."""
    for scope in ("all", "default"):
        try:
            with open(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6", "w") as file:
                file.write("1")
        except FileNotFoundError:
            pass  # a kernel without IPv6
    run("ip", "link", "set", "lo", "up")
    sockets = {}
    for port in range(1, count + 1):
        run("ip", "link", "add", f"s{port}", "type", "veth", "peer", "name", f"h{port}")
        for end in (f"s{port}", f"h{port}"):
            run("ip", "link", "set", end, "up")
        far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        far.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        far.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        far.bind((f"h{port}", ETH_P_ALL))
        far.setblocking(False)
        sockets[port] = far
    return sockets


def receive(far):
    """The next frame of a socket, with the VLAN tag that the kernel has put beside it back in its place; None: none is there."""
    try:
        frame, ancillary, _, address = far.recvmsg(65536, socket.CMSG_SPACE(20))
    except BlockingIOError:
        return None
    if address[2] == socket.PACKET_OUTGOING:
        return b""
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                tag = struct.pack("!HH", tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100, tci)
                frame = frame[:12] + tag + frame[12:]
    return frame


class Switch:
    process = None

    def start(self, words):
        parent_dies = lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=parent_dies)
        return self.process.pid

    def stop(self):
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def main():
    sockets = make_ports(int(sys.argv[1]))
    switch = Switch()
    print("ready", flush=True)
    try:
        for line in sys.stdin:
            command, _, rest = line.strip().partition(" ")
            if command == "start":
                print("started", switch.start(json.loads(rest)))
            elif command == "alive":
                status = switch.process.poll() if switch.process else 0
                print("running" if status is None else f"ended {status}")
            elif command == "send":
                port, digits = rest.split()
                sockets[int(port)].send(bytes.fromhex(digits))
                print("ok")
            elif command == "take":
                for port, far in sockets.items():
                    while (frame := receive(far)) is not None:
                        if frame:
                            print(port, frame.hex())
                print("end")
            elif command == "get":
                with urllib.request.urlopen(rest, timeout=10) as response:
                    print(json.dumps(response.read().decode()))
            elif command == "stop":
                print("stopped", switch.stop())
            else:
                print("unknown", command)
            sys.stdout.flush()
    finally:
        switch.stop()


main()
