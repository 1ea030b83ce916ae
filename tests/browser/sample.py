"""Texts that a model might write."""

THINKING = (
    "The user wants the slope of a line through noisy points. Least squares gives a closed form, "
    "$\\beta = (X^T X)^{-1} X^T y$, but with outliers a robust loss is better.\n\n"
    "Let me check the units first: seconds and metres.\n\n"
)

SECTION = '''## Fitting the line

Ordinary **least squares** finds the slope with the smallest squared error, the sum
$\\sum_i (y_i - \\beta x_i)^2$. It is quick, and a *single* outlier can spoil it; `numpy` does it in
one call.

```python
import numpy as np

def fit(x: np.ndarray, y: np.ndarray) -> float:
    """The slope through the origin."""
    return float((x @ y) / (x @ x))  # one pass, no matrix

print(fit(np.arange(10), 3 * np.arange(10)))
```

| method | error | seconds |
|:-------|------:|--------:|
| least squares | 0.31 | 0.002 |
| Huber | 0.12 | 0.011 |
| Theil-Sen | 0.09 | 0.240 |

The closed form is

$$
\\hat\\beta = \\frac{\\sum_i x_i y_i}{\\sum_i x_i^2}
$$

- It needs no iteration.
- It is exact for noise that is Gaussian:
  1. unbiased,
  2. of least variance.
- See [the manual](https://numpy.org/doc/stable/) for more.

> Plot the residuals before you trust any of these.

'''


def answer(length: int) -> str:
    """An answer of about so many characters, with code, tables and formulas."""
    return (SECTION * (length // len(SECTION) + 1))[:length]
