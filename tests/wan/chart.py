# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a run: for each city and way the time to first byte of a cold visit, as a bar of its
parts, with a mark where the limit is."""

import importlib.util

# Of what each part of the bar says how long it took: cumulative moments and their colours.
PARTS = (("tcp", "TCP", "#9ecae1"), ("tls", "TLS", "#4292c6"),
         ("first_byte", "request to first byte", "#08519c"))
INK = "#222222"


def missing():
    return None if importlib.util.find_spec("matplotlib") else "python3-matplotlib is"


def draw(cells, loss, path, mode="cold", size="20k"):
    import matplotlib

    matplotlib.use("svg" if path.suffix == ".svg" else "agg")
    from matplotlib import pyplot

    shown = {k: c for k, c in cells.items() if k[1] == loss and k[3] == mode and k[4] == size}
    cities = list(dict.fromkeys(k[0] for k in shown))
    ways = list(dict.fromkeys(k[2] for k in shown))
    ways.sort(key=["direct", "nginx", "haproxy", "perigee", "relay"].index)
    matplotlib.rcParams["svg.hashsalt"] = "wan"  # the same run gives the same file
    figure, axes = pyplot.subplots(figsize=(9, 1.1 + 1.25 * len(cities)))
    step = len(ways) + 1
    labels = []
    for i, city in enumerate(cities):
        for j, way in enumerate(ways):
            entry, y = shown[city, loss, way, mode, size], i * step + j
            bar(axes, y, entry)
            labels.append((y, f"{way}"))
        axes.text(-0.14, i * step + (len(ways) - 1) / 2, city, rotation=0, ha="right", va="center",
                  color=INK, fontweight="bold", transform=axes.get_yaxis_transform())
    axes.set_yticks([y for y, _ in labels], [text for _, text in labels], color=INK)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel("ms from the start of the connection", color=INK)
    axes.set_title("Time to first byte of a cold visit, by way", loc="left", color=INK)
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    legend(axes)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def bar(axes, y, entry):
    before = 0
    for moment, _, colour in PARTS:
        until = entry[moment]["median"]
        axes.barh(y, until - before, left=before, height=0.8, color=colour)
        before = until
    bound = entry["limit"]["first_byte"]
    axes.plot([bound, bound], [y - 0.46, y + 0.46], color="#d94801", linewidth=2)
    axes.annotate(f"{before:.0f}", (max(before, bound), y), xytext=(5, 0),
                  textcoords="offset points", va="center", fontsize=9, color=INK)


def legend(axes):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries = [Patch(color=colour, label=text) for _, text, colour in PARTS]
    entries.append(Line2D([], [], color="#d94801", linewidth=2, label="limit of TCP and TLS 1.3"))
    axes.legend(handles=entries, loc="upper center", bbox_to_anchor=(0.45, -0.09), ncol=4,
                frameon=False, fontsize=9)
