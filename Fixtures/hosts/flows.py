"""UDP flows between two hosts, told apart by their source ports.

    flows.py send ADDRESS FIRST COUNT ROUNDS SECONDS    a numbered packet of each flow in every round, a round every so many seconds
    flows.py receive SECONDS                            until the sender says that it has ended, or so many seconds; prints JSON: by source
                                                        port what came, as [type of service, number] in order
"""

import json
import socket
import struct
import sys
import time

PORT = 7000
END = 0xFFFFFFFF


def send(address, first, count, rounds, pause):
    flows = []
    for port in range(first, first + count):
        flow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        flow.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        flow.bind(("", port))
        flow.connect((address, PORT))
        flows.append(flow)
    for number in range(rounds):
        for flow in flows:
            flow.send(struct.pack("!I", number))
        time.sleep(pause)
    # It may be lost as any other. Who has had it is gone, and its host says so.
    try:
        for _ in range(5):
            flows[0].send(struct.pack("!I", END))
            time.sleep(0.05)
    except ConnectionRefusedError:
        pass


def receive(seconds):
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sink.bind(("", PORT))
    sink.settimeout(0.1)
    flows = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            data, ancillary, _, (_, port) = sink.recvmsg(64, 64)
        except TimeoutError:
            continue
        (number,) = struct.unpack("!I", data)
        if number == END:
            break
        tos = next(value[0] for level, kind, value in ancillary if kind == socket.IP_TOS)
        flows.setdefault(port, []).append([tos, number])
    print(json.dumps(flows))


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    if verb == "send":
        address, first, count, rounds, pause = arguments
        send(address, int(first), int(count), int(rounds), float(pause))
    else:
        receive(float(arguments[0]))
