"""redis-server that saves its data from a forked child while the parent goes on changing them: what the file holds is the state at
the moment of the fork, and what the server holds is the state now. Prints a line for each round."""

import os
import random
import socket
import subprocess
import time

import stepped

KEYS = 24
ROUNDS = 8
CHANGES = 150
LARGEST = 4 << 20
PATIENCE = 60  # seconds


class Server:
    """On a socket in this folder: no port that another program could have."""

    def __init__(self, name, environment):
        self.path = os.path.abspath(f"{name}.socket")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", os.getcwd(), "--dbfilename", "dump.rdb",
             "--save", "", "--appendonly", "no", "--maxmemory", "600mb", "--enable-debug-command", "yes"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.socket = socket.socket(socket.AF_UNIX)
        wait_for(self.listens)
        self.file = self.socket.makefile("rb")
        wait_for(lambda: self.info("loading") == "0")

    def listens(self):
        return self.process.poll() is not None or self.socket.connect_ex(self.path) == 0

    def ask(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            parts += [b"$%d\r\n" % len(word), word, b"\r\n"]
        self.socket.sendall(b"".join(parts))
        return self.answer()

    def answer(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-" or not line:
            raise RuntimeError(f"redis: {rest.decode() or 'gone'}")
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest

    def info(self, name):
        for line in self.ask("INFO").decode().splitlines():
            if line.startswith(name + ":"):
                return line.split(":", 1)[1]
        return ""

    def saved(self):
        return self.info("rdb_bgsave_in_progress") == "0"

    def end(self):
        self.socket.sendall(b"*2\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n")
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()


def wait_for(condition):
    stop = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > stop:
            raise RuntimeError("nothing happened")
        time.sleep(0.02)


def change(server, data, chance):
    """One command on large strings, and the same on our own picture of them."""
    key, other = f"key{chance.randrange(KEYS)}", f"key{chance.randrange(KEYS)}"
    what = chance.randrange(7)
    value = data.get(key, b"")
    if what == 0 or not value:
        data[key] = chance.randbytes(chance.randrange(1, LARGEST))
        server.ask("SET", key, data[key])
    elif what == 1:
        at, piece = chance.randrange(len(value)), chance.randbytes(chance.randrange(1, 20000))
        data[key] = value[:at] + piece + value[at + len(piece):]
        server.ask("SETRANGE", key, at, piece)
    elif what == 2 and len(value) < LARGEST:
        piece = chance.randbytes(chance.randrange(1, 300000))
        data[key] = value + piece
        server.ask("APPEND", key, piece)
    elif what == 3 and key != other:
        data[other] = value
        server.ask("COPY", key, other, "REPLACE")
    elif what == 4:
        del data[key]
        server.ask("DEL", key)
    elif what == 5:
        bit = chance.randrange(len(value)) * 8
        data[key] = value[:bit // 8] + bytes([value[bit // 8] | 128]) + value[bit // 8 + 1:]
        server.ask("SETBIT", key, bit, 1)
    else:
        piece = server.ask("GETRANGE", key, 1000, 900000)
        if piece != value[1000:900001]:
            print(f"a part of {key} is wrong: failed")


def holds(server, data):
    return all(server.ask("GET", f"key{i}") == data.get(f"key{i}") for i in range(KEYS))


def word(good):
    return "passed" if good else "failed"


def rounds(server, chance):
    data = {}
    for number in range(ROUNDS):
        for _ in range(CHANGES):
            change(server, data, chance)
        then = dict(data)
        server.ask("BGSAVE")
        while not server.saved():
            change(server, data, chance)
        saved_well = server.info("rdb_last_bgsave_status") == "ok"
        reader = Server("reader", stepped.environment(shim=False))
        print(f"round {number}, the file has what there was: {word(saved_well and holds(reader, then))}")
        reader.end()
        print(f"round {number}, the server has what there is: {word(holds(server, data))}", flush=True)
    server.ask("DEBUG", "RELOAD")
    print(f"after loading its own file: {word(holds(server, data))}")


def main():
    server = Server("server", dict(os.environ))
    rounds(server, random.Random(11))
    print(f"the end: {word(server.end() == 0)}")


main()
