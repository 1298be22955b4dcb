"""The estimator of overhead.py finds a known cost under noise twenty times as large that both sides share."""
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from covariate import excess  # noqa: E402


def run(chance, is_with, cost):
    """Twenty windows on a machine whose speed jumps."""
    windows = []
    speed = chance.choice((1.0, 1.6))
    for _ in range(20):
        if chance.random() < 0.2:
            speed = chance.choice((1.0, 1.6))
        now = speed * chance.uniform(0.97, 1.03)
        windows.append((1.1 * now ** 1.3 * (1 + cost * is_with) * chance.gauss(1, 0.03), now))
    return is_with, windows


def main():
    missed = 0
    for seed in range(8):
        chance = random.Random(seed)
        cost = (0.0, 0.03, 0.10)[seed % 3]
        runs = [run(chance, i % 2 == 1, cost) for i in range(30)]
        found, low, high = excess(runs, draws=60, seed=seed)
        if not (low <= cost * 100 <= high):
            missed += 1
        assert abs(found - cost * 100) < 1.5, f"{found} instead of {cost * 100}"
        assert high - low < 4, f"interval of {low} to {high}"
    assert missed <= 2, f"{missed} of 8 intervals miss the truth"


main()
