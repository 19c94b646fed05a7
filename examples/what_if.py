# SPDX-License-Identifier: MIT
"""What-if analysis with pandas: ten scenarios of one table are alive at once, each a copy with one column changed."""

import numpy
import pandas

from steps import done

ROWS = 1 << 21
random = numpy.random.default_rng(7)
base = pandas.DataFrame({name: random.normal(mean, mean / 10, ROWS) for name, mean in
                         [("price", 20.0), ("units", 500.0), ("cost", 12.0), ("freight", 1.5), ("rent", 300.0),
                          ("wages", 900.0), ("tax", 4.0), ("returns", 2.0)]})
done("a table of 128 MiB")


def scenario(column, factor):
    table = base.copy()
    table.loc[:, column] *= factor
    return table


def profit(table):
    return float((table.units * (table.price - table.cost - table.freight - table.tax - table.returns)).sum()
                 - table.rent.sum() - table.wages.sum())


scenarios = {f"{column} {factor:+.0%}": scenario(column, 1 + factor)
             for column, factor in [("price", 0.05), ("price", -0.05), ("units", 0.1), ("units", -0.1), ("cost", 0.08),
                                    ("freight", 0.5), ("rent", 0.2), ("wages", 0.1), ("tax", 0.25), ("returns", 1.0)]}
done("ten scenarios")

before = profit(base)
for name, table in scenarios.items():
    print(f"{name:14} {(profit(table) - before) / 1e6:+12.3f} million")
print(f"{'unchanged':14} {profit(base) == before}")
done("compare them")
