"""The curves of a stage: every number of its metrics file over the steps, smoothed, in one picture."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt

INK, SOFT = "#1f4e5f", "#9fc2cc"
LEFT_OUT = ("step", "epoch", "step_time", "num_tokens", "_runtime", "_per_second", "total_flos")
COLUMNS = 3
SMOOTHED = 20
"""A curve is drawn over the mean of a twentieth of its steps."""


def draw_curves(metrics: Path, path: Path) -> None:
    """Draw each number that changes; nothing is written if there is none."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for number, line in enumerate(metrics.read_text("utf-8").splitlines(), 1):
        entry = json.loads(line)
        for name, value in entry.items():
            if isinstance(value, int | float) and not name.endswith(LEFT_OUT):
                curves.setdefault(name, []).append((entry.get("step", number), float(value)))
    curves = {name: points for name, points in curves.items() if len({value for _, value in points}) > 1}
    if not curves:
        return
    rows = -(-len(curves) // COLUMNS)
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(10, 2.2 * rows), layout="constrained", squeeze=False)
    for axes, (name, points) in zip(grid.flat, curves.items(), strict=False):
        steps, values = np.array(points).T
        window = max(1, len(values) // SMOOTHED)
        axes.plot(steps, values, color=SOFT, linewidth=0.8)
        smooth = np.convolve(values, np.ones(window) / window, "valid")
        axes.plot(steps[window - 1 :], smooth, color=INK, linewidth=1.4)
        axes.set_title(name, fontsize=8, loc="left", color=INK)
        axes.tick_params(labelsize=7, length=2, colors="#444")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(grid.flat)[len(curves) :]:
        axes.set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
