"""Puzzles over records: the forensics of an access log, and sums over joined tables."""

from __future__ import annotations

from verilabel.suites.worlds.chance import Chance
from verilabel.suites.worlds.puzzles.puzzle import Puzzle

FAILURES = 8
_LINES = 220
_MANY_CENTS = 20_000
"""A sum of more than this is longer than any number in the tables."""
_ACCOUNTS = tuple(f"user{number:02d}" for number in range(1, 25))
_CITIES = ("Northport", "Eastfield", "Westbrook", "Southlake", "Midvale")
_CATEGORIES = ("tools", "books", "garden", "kitchen")

_LOG_SOLUTION = """\
runs, guessed, sums = {}, None, {}
for line in open("access.log"):
    _, address, what, account, detail = line.split()
    key = (address, account)
    if what == "LOGIN" and detail == "FAIL":
        runs[key] = runs.get(key, 0) + 1
    elif what == "LOGIN":
        if runs.get(key, 0) >= FAILURES:
            guessed = key
            sums[key] = 0
        runs[key] = 0
    elif key in sums:
        sums[key] += int(detail)
print(f"{guessed[1]}:{sums[guessed]}")
"""


def draw_log(chance: Chance) -> Puzzle:
    """A log in which one address guesses a password among others that fail and give up, or fail a few times."""
    # shuffled, so that whoever knows this program does not know the guesser by its number
    hosts = chance.shuffled(range(1, 13))
    addresses = [f"10.{chance.below(256)}.{chance.below(256)}.{number}" for number in hosts]
    guesser, account = addresses[0], chance.choose(_ACCOUNTS)
    stories = [_draw_guessing(guesser, account, chance)]
    stories += [_draw_giving_up(address, chance.choose(_ACCOUNTS), chance) for address in addresses[1:3]]
    stories += [_draw_honest(address, chance.choose(_ACCOUNTS), chance) for address in addresses[3:]]
    events = _interleave(stories, chance)
    start = chance.between(0, 6 * 3600)
    lines, seconds = [], start
    for event in events:
        seconds += chance.between(1, 40)
        clock = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        lines.append(f"2031-03-04T{clock}Z {event}")
    total = sum(int(event.split()[3]) for event in stories[0] if " DOWNLOAD " in event)
    return Puzzle(
        kind="log",
        task=(
            "The file access.log has a line for each event: time, address, LOGIN or DOWNLOAD, account, and OK or FAIL "
            "or the bytes that were downloaded. Exactly one address guessed a password: for one account it failed at "
            f"least {FAILURES} times in a row and then got in. Add up the bytes that this address downloaded with this "
            "account after it got in. The answer is ACCOUNT:BYTES, such as user01:12345."
        ),
        files={"access.log": "\n".join(lines) + "\n"},
        answer=f"{account}:{total}",
        solution=_LOG_SOLUTION.replace("FAILURES", str(FAILURES)),
    )


def _draw_guessing(address: str, account: str, chance: Chance) -> list[str]:
    failures = [f"{address} LOGIN {account} FAIL"] * chance.between(FAILURES, FAILURES + 12)
    sizes = {chance.between(1_000, 90_000) for _ in range(chance.between(4, 9))}
    return [
        *failures,
        f"{address} LOGIN {account} OK",
        *(f"{address} DOWNLOAD {account} {size}" for size in chance.shuffled(sorted(sizes))),
    ]


def _draw_giving_up(address: str, account: str, chance: Chance) -> list[str]:
    return [f"{address} LOGIN {account} FAIL"] * chance.between(FAILURES, 20)


def _draw_honest(address: str, account: str, chance: Chance) -> list[str]:
    events = []
    for _ in range(chance.between(4, 7)):
        events += [f"{address} LOGIN {account} FAIL"] * chance.below(FAILURES - 4)
        events.append(f"{address} LOGIN {account} OK")
        events += [f"{address} DOWNLOAD {account} {chance.between(1_000, 90_000)}"] * chance.below(3)
    return events


def _interleave(stories: list[list[str]], chance: Chance) -> list[str]:
    """The events of all stories in one order that keeps each story's own."""
    order = chance.shuffled([number for number, story in enumerate(stories) for _ in story])
    waiting = [iter(story) for story in stories]
    return [next(waiting[number]) for number in order]


_JOIN_SOLUTION = """\
import csv
rows = lambda name: list(csv.DictReader(open(name)))
city = {row["customer"]: row["city"] for row in rows("customers.csv")}
products = {row["product"]: row for row in rows("products.csv")}
total = 0
for row in rows("orders.csv"):
    product = products[row["product"]]
    if city[row["customer"]] == "CITY" and product["category"] == "CATEGORY" and row["status"] == "shipped":
        total += int(row["quantity"]) * int(product["cents"])
print(total)
"""


def draw_join(chance: Chance) -> Puzzle:
    """Three tables and a sum over their join."""
    customers = {f"c{number:03d}": chance.choose(_CITIES) for number in range(60)}
    products = {f"p{n:02d}": (chance.choose(_CATEGORIES), chance.between(99, 9_999)) for n in range(30)}
    orders = [
        (
            chance.choose(list(customers)),
            chance.choose(list(products)),
            chance.between(1, 9),
            chance.choose(("shipped", "shipped", "cancelled")),
        )
        for _ in range(_LINES)
    ]
    pays: dict[tuple[str, str], int] = {}
    for customer, product, quantity, status in orders:
        if status == "shipped":
            place = customers[customer], products[product][0]
            pays[place] = pays.get(place, 0) + quantity * products[product][1]
    # a small sum could be guessed, or stand in a file as a price
    city, category = chance.choose(sorted(place for place, cents in pays.items() if cents > _MANY_CENTS))
    total = pays[city, category]
    return Puzzle(
        kind="join",
        task=(
            "The files customers.csv, products.csv and orders.csv belong together. What did customers from "
            f"{city} pay, in cents, for products of the category '{category}'? Only orders with the status 'shipped' "
            "count. The answer is a whole number."
        ),
        files={
            "customers.csv": "customer,city\n" + "".join(f"{c},{town}\n" for c, town in customers.items()),
            "products.csv": "product,category,cents\n"
            + "".join(f"{p},{kind},{cents}\n" for p, (kind, cents) in products.items()),
            "orders.csv": "customer,product,quantity,status\n"
            + "".join(",".join(map(str, order)) + "\n" for order in orders),
        },
        answer=str(total),
        solution=_JOIN_SOLUTION.replace("CITY", city).replace("CATEGORY", category),
    )
