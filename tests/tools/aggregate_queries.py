"""SQL that tries to get at single rows: a seeded generator."""

from __future__ import annotations

import random


class Asker:
    """Writes queries over ``df`` (name, g, h, x, y, z, one, flag, d), of which it knows values."""

    def __init__(self, seed: int, values: dict[str, list]) -> None:
        self.random = random.Random(seed)
        self.values = values
        self.mild = False

    def query(self) -> str:
        self.mild = self.random.random() < 0.7  # mostly what is allowed; the combination counts
        pick = self.random.random()
        if pick < 0.6:
            return self.select()
        if pick < 0.7:
            return f"WITH t AS ({self.select('c')}) SELECT {self._outer('t')} FROM t"
        if pick < 0.78:
            both = f"({self.select('c')} UNION ALL {self.select('c')})"
            return f"SELECT {self._outer('t')} FROM {both} t"
        if pick < 0.86:
            sign = self.random.choice("+-*/%")
            return f"SELECT ({self.select('c')}) {sign} ({self.select('c')}) AS v"
        if pick < 0.92:
            both = f"WITH a AS ({self.select('c')}), b AS ({self.select('c')})"
            return f"{both} SELECT a.c - b.c, a.c / b.c FROM a, b"
        word = self.random.choice(["UNION", "EXCEPT", "INTERSECT", "UNION ALL"])
        return f"{self.select()} {word} {self.select()}"

    def select(self, name: str = "") -> str:
        prefix, source = self._source()
        keys = self._keys(prefix)
        shown = keys if self.random.random() < 0.6 and not name else []
        items = [
            *shown,
            *(self._item(prefix) for _ in range(1 if name else self.random.randint(1, 3))),
        ]
        if name:
            items[-1] += f" AS {name}"
        text = f"SELECT {'DISTINCT ' if self._rarely() else ''}{', '.join(items)} FROM {source}"
        if self.random.random() < 0.5:
            text += f" WHERE {self.condition(prefix)}"
        if keys:
            text += f" GROUP BY {', '.join(keys)}"
        if self._rarely():
            sign, number = self.random.choice("<>"), self.random.randint(1, 10)
            text += f" HAVING {self._item(prefix)} {sign} {number}"
        if self._rarely():
            orders = ["1", "x", prefix + "x", self._item(prefix)]
            text += f" ORDER BY {self.random.choice(orders)} LIMIT 3"
        return text

    def condition(self, prefix: str = "") -> str:
        column = self.random.choice(["name", "g", "g", "h", "h", "x", "y", "z", "one", "flag", "d"])
        values = self.values[column]
        one, other = (self._written(self.random.choice(values)) for _ in range(2))
        tests = [
            f"{prefix}{column} = {one}",
            f"{prefix}{column} <> {one}",
            f"{prefix}{column} IN ({one}, {other})",
            f"{prefix}{column} IS NULL",
            f"{prefix}{column} IS NOT NULL",
            f"NOT {prefix}{column} = {one}",
            f"{prefix}{column} IS DISTINCT FROM {one}",
        ]
        if column in ("x", "y", "z", "h", "d"):
            tests += [f"{prefix}{column} {sign} {one}" for sign in ("<", "<=", ">", ">=")] * 2
            tests += [f"{prefix}{column} BETWEEN {one} AND {other}"]
        if column in ("x", "y"):
            tests += [
                f"abs({prefix}{column} - {one}) < 1",
                f"({prefix}{column} - {one}) * 9e99 = 0",
            ]
        text = self.random.choice(tests)
        if self.random.random() < 0.3:
            text = f"({text} {self.random.choice(['AND', 'OR'])} {self.condition(prefix)})"
        return text

    def _source(self) -> tuple[str, str]:
        if self.mild:
            view = f"(SELECT * FROM df WHERE {self.condition()}) v"
            count = self.random.randint(4, 12)
            limited = (
                f"(SELECT x, y, z, one, name, g, h, flag, d FROM df ORDER BY x LIMIT {count}) v"
            )
            joined = "df a JOIN df b ON a.name = b.name"
            parts = [f"SELECT * FROM df WHERE {self.condition()}" for _ in range(2)]
            choices = [("", "df"), ("", "df"), ("", view), ("", limited), ("a.", joined)]
            choices += [("", f"({' UNION ALL '.join(parts)}) v")]
            return self.random.choice([*choices, ("a.", "df a JOIN df b ON a.h = b.h")])
        return self.random.choice(
            [("", "df")] * 6
            + [
                ("a.", "df a, df b"),
                ("a.", "df a JOIN df b USING (g)"),
                ("a.", "df a JOIN df b USING (name)"),
                ("a.", "df a JOIN df b ON a.g = b.g AND b.x > 5"),
                ("a.", "df a LEFT JOIN df b ON a.h = b.h"),
                ("a.", "df a JOIN df b ON a.x <= b.x"),
                ("", f"(SELECT * FROM df WHERE {self.condition()}) v"),
                ("", f"(SELECT * FROM df ORDER BY x LIMIT {self.random.randint(1, 12)}) v"),
                ("", "(SELECT * FROM df UNION ALL SELECT * FROM df) v"),
                ("", "df, unnest([1, 2]) u(k)"),
                ("", f"(SELECT *, CASE WHEN {self.condition()} THEN 1 ELSE 0 END AS w FROM df) v"),
            ]
        )

    def _keys(self, prefix: str) -> list[str]:
        if self.mild:
            return self.random.sample([f"{prefix}g", f"{prefix}h"], self.random.choice([0, 0, 1]))
        keys = [
            "g",
            "h",
            "name",
            "x",
            "flag",
            f"{prefix}x // 7",
            "x % 2",
            "1",
            "year(d)",
            f"{prefix}g",
        ]
        return self.random.sample(keys, self.random.choice([0, 0, 1, 1, 2]))

    def _item(self, prefix: str) -> str:
        item = self._aggregate(prefix)
        if self.random.random() < 0.3:
            other = self._aggregate(prefix)
            item = f"{item} {self.random.choice(['+', '-', '*', '/', '%'])} {other}"
        return item

    def _aggregate(self, prefix: str) -> str:
        column = prefix + self.random.choice(["x", "x", "y", "z", "one"])
        other = prefix + self.random.choice(["y", "z", "one", "x"])
        test, value = self.condition(prefix), self._written(self.random.choice(self.values["x"]))
        if self.mild:
            more = self.condition(prefix)
            argument = self.random.choice(
                [column] * 4
                + [
                    f"{column} + 0 * {other}",
                    f"{column} * {other}",
                    f"{column} - {value} * {prefix}y",
                    f"CASE WHEN {test} THEN {column} ELSE 0 END",
                    f"CASE WHEN {test} THEN {column} END",
                    f"CASE WHEN {test} THEN {column} WHEN {more} THEN {other} END",
                    f"coalesce({column}, 0)",
                    f"{column} * CAST({prefix}flag AS INT)",
                    f"{prefix}h * {column}",
                ]
            )
            text = f"{self.random.choice(['sum', 'sum', 'avg', 'count'])}({argument})"
            if self.random.random() < 0.2:
                name = self.random.choice(
                    ["regr_avgx", "covar_pop", "regr_sxy", "regr_intercept", "regr_slope"]
                )
                text = f"{name}({column}, {self.random.choice([other, prefix + 'h'])})"
            return f"{text} FILTER (WHERE {test})" if self.random.random() < 0.4 else text
        argument = self.random.choice(
            [column] * 6
            + [
                f"{column} + 0 * {other}",
                f"{column} * {other}",
                f"{column} / ({other} - {value})",
                f"CASE WHEN {test} THEN {column} ELSE 0 END",
                f"CASE WHEN {test} THEN {column} END",
                f"coalesce({other}, 0)",
                f"{column} * ({other} = {value})",
                f"{column} // {value}",
                f"nullif({column}, {value})",
                f"{column} * CAST({other} = {value} AS INT)",
                "name",
            ]
        )
        names = (
            ["sum"] * 6
            + ["avg"] * 5
            + ["count", "stddev", "variance", "min", "max", "median", "mode"]
        )
        names += [
            "any_value",
            "first",
            "last",
            "list",
            "string_agg",
            "product",
            "bit_xor",
            "histogram",
        ]
        name = self.random.choice(names)
        distinct = "DISTINCT " if self._rarely() else ""
        text = f"{name}({distinct}{argument})"
        if self._rarely():
            text = self.random.choice(
                [
                    f"arg_max({column}, {other})",
                    f"corr({column}, {other})",
                    "count(*)",
                    "quantile_cont(x, 0.9)",
                    f"regr_avgx({other}, {column})",
                    f"covar_pop({column}, {other})",
                    f"sum(CAST(flag AS INT) * {column})",
                ]
            )
        return f"{text} FILTER (WHERE {test})" if self.random.random() < 0.25 else text

    def _outer(self, table: str) -> str:
        items = [
            "sum({}.c)",
            "max({}.c) - min({}.c)",
            "avg({}.c)",
            "count(*)",
            "stddev({}.c)",
            "{}.c * 2",
        ]
        return self.random.choice(items).format(table, table)

    def _rarely(self) -> bool:
        return self.random.random() < 0.12

    @staticmethod
    def _written(value) -> str:
        if isinstance(value, str) or hasattr(value, "isoformat"):
            return f"'{value}'"
        return (
            "NULL"
            if value != value
            else str(value).upper()
            if isinstance(value, bool)
            else repr(value)
        )
