#!/usr/bin/env python3
"""make_day.py - writes a day's business for the financial example.

    tools/make_day.py [--lines N] [--seed N] > examples/financial/day.csv

Invoices and donations between 08:00 and 20:00, in order of time: most of them come one by one,
more at the busy hours, some in batches that a customer sends within a second or two.  The same
seed gives the same bytes on every machine and with every version of Python: the random numbers
are made here."""

import argparse
import sys

OPENING, CLOSING = 8 * 3600, 20 * 3600            # seconds of the day

# How busy each hour from OPENING on is, of 10.
BUSY = [6, 9, 8, 6, 10, 7, 5, 5, 6, 9, 7, 3]

INVOICES_OF_TEN = 6                               # six in ten lines are invoices
BATCHED_OF_TEN = 3                                # three in ten lines come in a batch
BATCH = 16                                        # lines of a batch, on average

FIRMS = ["Alder", "Birchwood", "Cedar Lane", "Dogwood", "Elmfield", "Fernhill", "Greenbark",
         "Hazelmere", "Ironwood", "Juniper", "Kestrel", "Larch", "Maple Street", "Northgrove",
         "Oakhurst", "Pinecrest", "Quince", "Rowan", "Sycamore", "Thornbury"]
TRADES = ["Bakery", "Books", "Builders", "Cycles", "Dental", "Freight", "Gardens", "Glass",
          "Hotel", "Joinery", "Laundry", "Motors", "Optics", "Paper", "Plumbing", "Roofing",
          "Seeds", "Tiles", "Tools", "Wines"]
GIVEN = ["Ada", "Bola", "Carmen", "Dmitri", "Elif", "Farid", "Grace", "Hiro", "Ines", "Jonas",
         "Kofi", "Lena", "Mateo", "Nadia", "Otto", "Priya", "Rosa", "Samir", "Tuva", "Yusuf"]
FAMILY = ["Abara", "Bianchi", "Castro", "Dahl", "Eriksen", "Fontaine", "Gupta", "Hassan",
          "Ivanova", "Jensen", "Kimura", "Lopez", "Moreau", "Novak", "Okafor", "Park",
          "Rossi", "Silva", "Tanaka", "Weber"]
GIFTS = [500, 1000, 1000, 1500, 2000, 2500, 2500, 5000, 5000, 7500, 10000, 20000, 50000]


class Random:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return (z ^ (z >> 31)) % n

    def choice(self, table):
        return table[self.below(len(table))]


def busy_second(random):
    """A second of the day, likelier in a busy hour."""
    while True:
        second = OPENING + random.below(CLOSING - OPENING)
        if random.below(10) < BUSY[(second - OPENING) // 3600]:
            return second


def draw_seconds(random, lines):
    """When each line comes, in order."""
    batches = [busy_second(random)
               for _ in range(max(1, lines * BATCHED_OF_TEN // 10 // BATCH))]
    seconds = []
    for _ in range(lines):
        if random.below(10) < BATCHED_OF_TEN:
            seconds.append(min(random.choice(batches) + random.below(2), CLOSING - 1))
        else:
            seconds.append(busy_second(random))
    return sorted(seconds)


def draw_invoice(random):
    """Who and how many cents: every size of bill from 5.00 to 20,000.00 is about as likely."""
    size = random.choice([500, 2000, 8000, 30000, 120000, 500000])
    return f"{random.choice(FIRMS)} {random.choice(TRADES)}", size + random.below(3 * size)


def draw_donation(random):
    """Who and how many cents: mostly round sums."""
    cents = random.choice(GIFTS)
    if random.below(5) == 0:
        cents += random.below(500)
    return f"{random.choice(GIVEN)} {random.choice(FAMILY)}", cents


def write_day(random, lines, file):
    file.write("time,id,kind,party,amount\n")
    numbers = {"invoice": 0, "donation": 0}
    for second in draw_seconds(random, lines):
        kind = "invoice" if random.below(10) < INVOICES_OF_TEN else "donation"
        party, cents = draw_invoice(random) if kind == "invoice" else draw_donation(random)
        numbers[kind] += 1
        file.write(f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02},"
                   f"{kind[:3].upper()}-{numbers[kind]:05},{kind},{party},"
                   f"{cents // 100}.{cents % 100:02}\n")


def main():
    parser = argparse.ArgumentParser(description="Writes a day's business as CSV.")
    parser.add_argument("--lines", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    write_day(Random(options.seed), options.lines, sys.stdout)


if __name__ == "__main__":
    main()
