"""The parts of the benchmarks' page about very large images and about video."""

from statistics import median
from typing import Any

Row = dict[str, Any]

# Kinds of layers with less of the time are not told.
LEAST_SHARE = 0.02


def large_page(kept: Row, note: str) -> str:
    """Return the section on images beyond memory."""
    lines = [
        "## Very large images",
        "",
        "`delineate predict RUN IMAGE`, from a tiled TIFF on disk to a mask on disk. Beside it",
        "what the network alone takes for the same tiles: what is more is reading, cutting and",
        "writing, as far as it is not done meanwhile. Exact tiles share a margin as wide as the",
        "network looks, so that the mask is that of the whole image.",
        "",
        "| run | engine | pixels | tiles | pixels predicted for each | time | the network alone "
        "| more | memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    whole = [row for row in kept["rows"] if "picture" in row]
    for row in kept["rows"]:
        if "picture" in row:
            continue
        alone = row["network_seconds"]
        lines.append(
            f"| {row['run']} | {row['runtime']} {row['precision']} "
            f"| {row['side']:,} × {row['side']:,} | {row['tiles']} {row['mode']} "
            f"| {row['pixels_per_pixel']:.2f} | {row['seconds'] / 60:.1f} min "
            f"| {alone / 60:.1f} min | {row['seconds'] / alone - 1:+.0%} | {row['peak_mib']} MiB |"
        )
    for row in whole:
        height, width = row["picture"]
        lines += [
            "",
            f"{row['run']}: a photograph of {height}×{width} pixels in {row['mode']} tiles and in",
            f"one go: a probability differs by {row['largest']:.1g} at the most and "
            f"{row['mean']:.1g} on the",
            f"average, and {row['changed']:.2%} of the pixels have another class.",
        ]
    return "\n".join([*lines, "", note, ""])


def limits_page(kept: Row, note: str) -> str:
    """Return what limits the prediction of one image."""
    timed = [row for row in kept["rows"] if "what" in row]
    shares = [row for row in kept["rows"] if row.get("share", 0) >= LEAST_SHARE]
    height, width = timed[0]["size"]
    largest = ", ".join(f"{row['layers']} {row['share']:.0%}" for row in shares)
    return "\n".join(
        [
            "### What limits a single image",
            "",
            f"{timed[0]['run']}, {timed[0]['engine']}, an image of {height}×{width} pixels: with",
            "delineate, and by the engine with other settings, in turns; the median.",
            "",
            "| what | milliseconds |",
            "| --- | --- |",
            *(f"| {row['what']} | {row['milliseconds']:.1f} |" for row in timed),
            "",
            f"The engine's time goes into {largest}.",
            "",
            note,
            "",
        ]
    )


def video_page(kept: Row, note: str) -> str:
    """Return the section on video."""
    rows = kept["rows"]
    speeds = [row["frames_per_second"] for row in rows]
    latencies = [row["latency_ms"] for row in rows]
    lines = [
        "## Video",
        "",
        f"`delineate predict RUN car-detection.mp4 --size {rows[0]['size']} --overlay`: decoding,",
        "prediction, and the videos of masks and overlays written; the median of "
        f"{len(rows)} repetitions, in brackets the least and the most.",
        "",
        "| engine | frames | frames per second | latency p50 | latency p99 | memory |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| {rows[0]['runtime']} {rows[0]['precision']} | {rows[0]['frames']} "
        f"| {median(speeds):.1f} ({min(speeds):.1f} to {max(speeds):.1f}) "
        f"| {median(each['p50'] for each in latencies):.0f} ms "
        f"| {median(each['p99'] for each in latencies):.0f} ms "
        f"| {max(row['peak_mib'] for row in rows)} MiB |",
        "",
        note,
        "",
    ]
    return "\n".join(lines)


def sizes_page(kept: Row, note: str) -> str:
    """Return the section on the cost against the size."""
    lines = ["## Cost against size", "", *kept["rows"][0]["about"], ""]
    for task in dict.fromkeys(row["task"] for row in kept["rows"]):
        rows = [row for row in kept["rows"] if row["task"] == task]
        lines += [
            f"**{task}**: the time grows with the number of pixels to the power of "
            f"{rows[0]['slope']:.2f}.",
            "",
            f"| | {' | '.join(row['what'] for row in rows)} |",
            f"| --- |{' --- |' * len(rows)}",
            f"| seconds | {' | '.join(format(row['seconds'], '.3f') for row in rows)} |",
            "",
        ]
    return "\n".join([*lines, note, ""])


def engines_page(kept: Row, note: str) -> str:
    """Return the section on exports."""
    lines = [
        "## Exports",
        "",
        "Each run exported, compared with its Keras model on validation images, and timed beside",
        "it, an image at a time from pixels in memory to class ids; the median of three times, in",
        "brackets the least and the most. Mean IoU of all validation images.",
        "",
    ]
    for run in dict.fromkeys(row["run"] for row in kept["rows"]):
        rows = [row for row in kept["rows"] if row["run"] == run]
        keras = rows[0]
        lines += [
            f"**{run}** on {rows[0]['data']}",
            "",
            "| format | precision | images per second | × Keras | p50, p99 (ms) | memory | file "
            "| mean IoU | loss |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *(_engine(row, keras) for row in rows),
            "",
        ]
    return "\n".join([*lines, note, ""])


def _engine(row: Row, keras: Row) -> str:
    if "problem" in row:
        return f"| {row['format']} | {row.get('precision', '')} | {row['problem']} | | | | | | |"
    latency = row["latency_ms"]
    return (
        f"| {row['format']} | {row['precision']} "
        f"| {row['images_per_second']:.1f} ({row['least']:.1f} to {row['most']:.1f}) "
        f"| {row['faster']:.2f} | {latency['p50']:.1f}, {latency['p99']:.1f} "
        f"| {row['memory_mib']} MiB | {row['file_mib']:.1f} MiB | {row['mean_iou']:.4f} "
        f"| {keras['mean_iou'] - row['mean_iou']:+.4f} |"
    )
