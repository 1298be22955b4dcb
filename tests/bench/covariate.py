"""Cost per unit of work against that of an untouched neighbour.

A virtual machine's speed changes by a factor of two within seconds (measured: 1.0 to 2.0 us of CPU a command of redis-server, in two humps,
with nothing else running). The client of the load runs on the same machine at the same moments and is not profiled, so
its own CPU time per command tells that speed: between windows of half a second the two move together (the logarithms
with a slope of 1.2), and what is left differs by a few percent instead of by half.

Model: log(server's cost) = a + b x + c x^2 + t [with], x = log(client's cost) less its mean; the excess is exp(t) - 1. Analysis of
covariance (Cochran, Biometrics 13, 1957). Windows of one run are not independent, so the interval comes from drawing
whole runs anew (bootstrap of clusters). What profiling costs the client, such as cache that the daemon takes
away, is taken out as well; so the two shares are printed apart.
"""
import math
import random


def solve(matrix, vector):
    """Gauss and Jordan, with pivots."""
    size = len(matrix)
    rows = [list(row) + [value] for row, value in zip(matrix, vector)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(size):
            if k != i:
                factor = rows[k][i] / rows[i][i]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i])]
    return [rows[i][size] / rows[i][i] for i in range(size)]


def fit(runs):
    """Excess as a factor; @runs: [(with, [(server's cost, client's cost), ...]), ...]."""
    points = [(float(is_with), math.log(server), math.log(client)) for is_with, windows in runs for server, client in windows]
    mean = sum(x for _, _, x in points) / len(points)
    design = [(1.0, is_with, x - mean, (x - mean) ** 2) for is_with, _, x in points]
    size = len(design[0])
    normal = [[sum(row[i] * row[j] for row in design) for j in range(size)] for i in range(size)]
    right = [sum(row[i] * y for row, (_, y, _) in zip(design, points)) for i in range(size)]
    return math.exp(solve(normal, right)[1])


def excess(runs, draws=400, seed=1):
    """Excess in percent and its 95 % interval; at least two runs with and two without."""
    chance = random.Random(seed)
    kinds = [[run for run in runs if run[0]], [run for run in runs if not run[0]]]
    drawn = sorted((fit([chance.choice(kind) for kind in kinds for _ in kind]) - 1) * 100 for _ in range(draws))
    return (fit(runs) - 1) * 100, drawn[int(draws * 0.025)], drawn[int(draws * 0.975)]
