"""Questions to the shop's database, for a pool of warm workers: the connections are opened once, and stay open."""
import functools
import sqlite3


@functools.cache
def connect(path):
    return sqlite3.connect(path, timeout=30)


def revenue(path, region, day):
    """What a region took on a day, in cents."""
    question = "SELECT coalesce(sum(cents), 0) FROM orders WHERE region = ? AND day = ?"
    return connect(path).execute(question, (region, day)).fetchone()[0]


def sync(path, warehouse, at_most):
    """Copies the next orders to the warehouse, and answers how many. Twice is the same as once: it goes on after the last."""
    there = connect(warehouse)
    with there:
        there.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, day INTEGER, region TEXT, cents INTEGER)")
        last = there.execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()[0]
        news = "SELECT id, day, region, cents FROM orders WHERE id > ? ORDER BY id LIMIT ?"
        rows = connect(path).execute(news, (last, at_most)).fetchall()
        there.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
    return len(rows)


def total(path):
    """How many orders there are, and what they brought, in cents."""
    return connect(path).execute("SELECT count(*), coalesce(sum(cents), 0) FROM orders").fetchone()


def ask(what, *args):
    return {"revenue": revenue, "sync": sync, "total": total}[what](*args)
