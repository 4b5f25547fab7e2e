"""Orders as a shop exports them, and their way into a database.

orders.py make OUT ROWS     writes a CSV file; about one row in a hundred is broken, as in life
orders.py load CSV DB       checks every row, loads those that are right, says as JSON what it found
"""
import csv
import json
import random
import sqlite3
import sys

REGIONS = ["north", "east", "south", "west", "coast", "hills"]
DAYS = 30
FIELDS = ["id", "day", "region", "quantity", "cents"]
# More than that is no slip of the hand: the file is the wrong one.
MOST_BROKEN = 0.05


def make(out, rows):
    chance = random.Random(20)
    with open(out, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(FIELDS)
        for number in range(1, int(rows) + 1):
            row = [number, chance.randint(1, DAYS), chance.choice(REGIONS), chance.randint(1, 9), chance.randint(99, 9999)]
            if chance.random() < 0.01:
                row[chance.choice([1, 2, 3, 4])] = chance.choice(["", "-1", "n/a"])
            table.writerow(row)


def fault(row):
    """What is wrong with a row, if anything."""
    if row["region"] not in REGIONS:
        return "no such region"
    if not row["day"].isdigit() or not 1 <= int(row["day"]) <= DAYS:
        return "no such day"
    if not row["quantity"].isdigit() or not row["cents"].isdigit():
        return "not a number"
    return None


def load(source, database):
    with open(source, newline="") as file:
        rows = list(csv.DictReader(file))
    rejected, good = {}, []
    for row in rows:
        if why := fault(row):
            print(f"WARNING: order {row['id']}: {why}", file=sys.stderr)
            rejected[why] = rejected.get(why, 0) + 1
        else:
            good.append([int(row["id"]), int(row["day"]), row["region"], int(row["quantity"]) * int(row["cents"])])
    if len(rows) - len(good) > MOST_BROKEN * len(rows):
        sys.exit(f"{len(rows) - len(good)} of {len(rows)} rows are broken: nothing is loaded")
    db = sqlite3.connect(database)
    db.execute("PRAGMA journal_mode = WAL")
    with db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, day INTEGER, region TEXT, cents INTEGER)")
        db.execute("CREATE INDEX days ON orders (region, day)")
        db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", good)
    db.close()
    cents = sum(order[3] for order in good)
    print(json.dumps({"rows": len(rows), "loaded": len(good), "rejected": rejected, "cents": cents}))


if __name__ == "__main__":
    {"make": make, "load": load}[sys.argv[1]](*sys.argv[2:])
