"""Learns to tell two half moons of points apart: a small neural network in plain Python.

moons.py data  TRAIN TEST POINTS          two tables of points: x, y, which moon
moons.py train TRAIN FOLDER EPOCHS EVERY  learns, and saves what it has learned every so many epochs
moons.py judge MODEL TEST                 says as JSON how well a saved model does on points that it has never seen
"""
import csv
import json
import math
import pathlib
import random
import signal
import sys

HIDDEN = 8
RATE = 0.05


def data(train, test, points):
    chance = random.Random(7)
    for path in (train, test):
        with open(path, "w", newline="") as file:
            table = csv.writer(file)
            for number in range(int(points)):
                moon, angle = number % 2, chance.uniform(0, math.pi)
                x, y = math.cos(angle), math.sin(angle)
                if moon:
                    x, y = 1 - x, 0.5 - y
                table.writerow([round(x + chance.gauss(0, 0.25), 4), round(y + chance.gauss(0, 0.25), 4), moon])


def points(path):
    with open(path, newline="") as file:
        return [(float(x), float(y), int(moon)) for x, y, moon in csv.reader(file)]


def guess(model, x, y):
    """How sure it is that a point is of the second moon, and what the hidden neurons say."""
    hidden = [math.tanh(a * x + b * y + c) for a, b, c in model["hidden"]]
    total = model["bias"] + sum(w * h for w, h in zip(model["out"], hidden))
    return 1 / (1 + math.exp(-max(-50, min(50, total)))), hidden


def learn(model, x, y, moon):
    """One step down the slope for one point; answers the loss before it."""
    sure, hidden = guess(model, x, y)
    slope = sure - moon
    for neuron, (weights, h) in enumerate(zip(model["hidden"], hidden)):
        inner = slope * model["out"][neuron] * (1 - h * h)
        weights[0] -= RATE * inner * x
        weights[1] -= RATE * inner * y
        weights[2] -= RATE * inner
        model["out"][neuron] -= RATE * slope * h
    model["bias"] -= RATE * slope
    return -math.log(max(1e-9, sure if moon else 1 - sure))


def train(table, folder, epochs, every):
    epochs, every, folder = int(epochs), int(every), pathlib.Path(folder)
    chance = random.Random(3)
    model = {
        "hidden": [[chance.gauss(0, 1) for _ in range(3)] for _ in range(HIDDEN)],
        "out": [chance.gauss(0, 0.1) for _ in range(HIDDEN)],
        "bias": 0.0,
    }
    known = points(table)

    def save(name):
        path = folder / name
        path.write_text(json.dumps(model))
        print(f"saved {path}")

    def stop(*_):
        save("model-stopped.json")
        sys.exit(3)

    signal.signal(signal.SIGTERM, stop)
    for epoch in range(1, epochs + 1):
        chance.shuffle(known)
        loss = sum(learn(model, *point) for point in known) / len(known)
        print(f"epoch {epoch}/{epochs} loss {loss:.4f}")
        if epoch % every == 0:
            save(f"model-{epoch:04}.json")


def judge(model, test):
    model = json.loads(pathlib.Path(model).read_text())
    unseen = points(test)
    sure = [guess(model, x, y)[0] for x, y, _ in unseen]
    right = sum((s > 0.5) == bool(moon) for s, (_, _, moon) in zip(sure, unseen))
    print(json.dumps({"right": right, "points": len(unseen)}))


if __name__ == "__main__":
    {"data": data, "train": train, "judge": judge}[sys.argv[1]](*sys.argv[2:])
