"""Play goline's games from Python: Games is a client of `goline attribute play`.

    games = Games("goline", "--net", "densenet-bc-100-12", "--weights", "w.pth.tar", "--data", "test.bin", "--value", "log-sum-exp")
    values = games(coalitions)              # bool [coalitions, players] -> float64 [coalitions], of game 0
    approximator.approximate(budget, games) # shapiq takes such a function
"""
import json
import struct
import subprocess
import sys

import numpy as np


class Games:
    def __init__(self, goline, *flags):
        self.process = subprocess.Popen([goline, "attribute", "play", *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("goline ended with status %s" % self.process.wait())
        heading = json.loads(line)
        self.players, self.games = heading["players"], heading["games"]
        self.evaluations = 0

    def __call__(self, coalitions, game=0):
        mask = np.ascontiguousarray(np.atleast_2d(coalitions), dtype=np.uint8)
        if mask.shape[1] != self.players:
            raise ValueError("expected coalitions of %d players, got %d" % (self.players, mask.shape[1]))
        self.process.stdin.write(struct.pack("<II", game, len(mask)) + mask.tobytes())
        self.process.stdin.flush()
        (count,) = struct.unpack("<I", self.process.stdout.read(4))
        if count == 0xFFFFFFFF:
            (length,) = struct.unpack("<I", self.process.stdout.read(4))
            raise RuntimeError(self.process.stdout.read(length).decode())
        self.evaluations += count
        return np.frombuffer(self.process.stdout.read(8 * count), "<f8")

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


if __name__ == "__main__":  # goline_game.py goline FLAGS: the value of the empty and the grand coalition of each game
    played = Games(*sys.argv[1:])
    for number, description in enumerate(played.games):
        print(description["name"], *played(np.array([[0], [1]]).repeat(played.players, 1), number))
    sys.exit(played.close())
