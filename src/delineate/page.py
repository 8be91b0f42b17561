"""A report as one HTML file that needs nothing else: no server, no network, no script."""

import base64
import html
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from numbers import Integral, Real

from delineate.report import Finding, Gallery, Picture, Report, Section, Table, Tile

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_DASH = "\N{EN DASH}"
_MOST_CARDS = 8
_MOST_PLACES = 8
_FEW_PLACES = 2
MOST_ALIKE = 8  # findings of one rule that are shown; the JSON has all
_FEW = 4  # tiles that stand beside each other in their own width
_LONG_NAME = 20
_MARKS = {"error": "Error", "warning": "Warning", "note": "Note"}
# Words whose usual spelling no rule gives.
_WORDS = {
    "iou": "IoU",
    "dice": "Dice",
    "f1": "F1",
    "ap50": "AP@0.5",
    "dsb": "DSB",
    "map": "mAP",
    "pq": "PQ",
    "aji": "AJI",
    "ms": "ms",
}
# Columns of shares, 0 to 1 and more is better: only there does a bar behind the number tell more.
_SHARES = frozenset(
    {"accuracy", "dice", "f1", "iou", "map", "precision", "recall", "score", "share"}
)


def render(report: Report) -> str:
    """Return a report as one self-contained HTML page.

    Everything that comes from the report is escaped, and the page's own policy forbids scripts and
    all connections, so that a file name or a class name cannot do anything.

    Args:
        report: What to show. Numbers at the top level of its values are the headlines.

    Returns:
        The text of the file, to be written as UTF-8.

    Example:
        >>> render(Report("Cells", "evaluation", {"mean_iou": 0.9})).startswith("<!doctype html>")
        True
    """
    values = report.to_json()
    pictures = count(1)
    body = [
        _header(report, values),
        _cards(values),
        _contents(report.sections),
        _findings(report.findings, empty=report.kind == "check" and not report.every_finding),
        *(_section(section, f"section-{i}", pictures) for i, section in enumerate(report.sections)),
    ]
    head = (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_escape(report.title)}</title>\n<style>{_STYLE}</style>"
    )
    content = "\n".join(part for part in body if part)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n<main>\n{content}\n'
        "</main>\n<footer>Made by delineate. This page is complete: "
        "it loads nothing and sends nothing.</footer>\n</body>\n</html>\n"
    )


def _header(report: Report, values: Mapping[str, object]) -> str:
    facts = [
        f"<div><dt>{_label(name)}</dt><dd>{_value(value)}</dd></div>"
        for name, value in values.items()
        if isinstance(value, (str, bool))
    ]
    listed = f'<dl class="facts">{"".join(facts)}</dl>' if facts else ""
    return (
        f'<header><p class="kind">{_label(report.kind)}</p>'
        f"<h1>{_escape(report.title)}</h1>{listed}</header>"
    )


def _cards(values: Mapping[str, object]) -> str:
    numbers = [(name, value) for name, value in values.items() if _is_number(value)]
    if not numbers:
        return ""
    bounds = values.get("intervals")
    cards = [
        f'<div class="card"><dt>{_label(name)}</dt><dd>{_value(value)}</dd>{_bounds(bounds, name)}'
        "</div>"
        for name, value in numbers[:_MOST_CARDS]
    ]
    others = tuple((_spelled(name), value) for name, value in numbers[_MOST_CARDS:])
    more = _table(Table("More numbers", ("Name", "Value"), others)) if others else ""
    return f'<dl class="cards">{"".join(cards)}</dl>{_details("More numbers", more)}'


def _bounds(bounds: object, name: str) -> str:
    pair = bounds.get(name) if isinstance(bounds, Mapping) else None
    if not isinstance(pair, Sequence) or len(pair) != 2:
        return ""
    return f'<dd class="bounds">95 %: {_value(pair[0])} {_DASH} {_value(pair[1])}</dd>'


def _contents(sections: Sequence[Section]) -> str:
    if len(sections) < 2:
        return ""
    links = "".join(
        f'<li><a href="#section-{index}">{_escape(section.title)}</a></li>'
        for index, section in enumerate(sections)
    )
    return f'<nav aria-label="Contents"><ol>{links}</ol></nav>'


def _section(section: Section, anchor: str, pictures: Iterable[int]) -> str:
    parts = [f'<h2 id="{anchor}-title">{_escape(section.title)}</h2>']
    parts += [
        f"<p>{_escape(text)}</p>" for text in re.split(r"\n\s*\n", section.text.strip()) if text
    ]
    parts.append(_findings(section.findings, heading=""))
    parts += [_table(table) for table in section.tables]
    numbered = zip(section.pictures, pictures, strict=False)
    parts += [_picture(picture, number) for picture, number in numbered]
    parts += [_gallery(gallery) for gallery in section.galleries]
    content = "\n".join(part for part in parts if part)
    return f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n{content}\n</section>'


def _findings(
    findings: Sequence[Finding], *, heading: str = "Findings", empty: bool = False
) -> str:
    if not findings:
        return '<p class="calm">Nothing found that needs attention.</p>' if empty else ""
    items = "".join(_items(findings))
    title = f"<h2>{heading} <small>{_tally(findings)}</small></h2>" if heading else ""
    return f'<div class="findings">{title}<ul>{items}</ul></div>'


def _items(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the findings, the worst first, and of each rule no more than a page can bear."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for level in _MARKS:
        for finding in findings:
            if finding.level == level:
                alike.setdefault((level, finding.code), []).append(finding)
    for (level, code), group in alike.items():
        yield from map(_finding, group[:MOST_ALIKE])
        if len(group) > MOST_ALIKE:
            more = f"and {len(group) - MOST_ALIKE:,} more of <code>{_escape(code)}</code>"
            yield f'<li class="{level}"><span></span><p class="more">{more}</p></li>'


def _finding(finding: Finding) -> str:
    places = [f"<code>{_escape(place)}</code>" for place in finding.where]
    shown = _gallery(finding.gallery) if finding.gallery else ""
    # Pictures bear the names already.
    most = _FEW_PLACES if shown else _MOST_PLACES
    more = " ".join(places[most:])
    where = f'<p class="where">{" ".join(places[:most])}</p>' if places else ""
    return (
        f'<li class="{finding.level}"><span class="badge">{_MARKS[finding.level]}</span>'
        f"<div><p>{_escape(finding.message)}</p>"
        f"{_hint(finding)}"
        f"{where}{_details(f'{len(places) - most} more', more)}</div>{shown}</li>"
    )


def _hint(finding: Finding) -> str:
    """Return a hint; what stands below its first line is to be copied as it is."""
    text, _, lines = finding.hint.partition("\n")
    block = f"<pre>{_escape(lines)}</pre>" if lines else ""
    return f'<p class="hint">{_escape(text)} <code>{_escape(finding.code)}</code></p>{block}'


def _tally(findings: Sequence[Finding]) -> str:
    counts = [(sum(found.level == level for found in findings), level) for level in _MARKS]
    return ", ".join(f"{n:,} {level}{'s' if n > 1 else ''}" for n, level in counts if n)


def _table(table: Table) -> str:
    kinds = [
        _column_kind(name, [row[index] for row in table.rows])
        for index, name in enumerate(table.columns)
    ]
    head = "".join(
        f'<th scope="col" class="{kind}">{_escape(name)}</th>'
        for name, kind in zip(table.columns, kinds, strict=True)
    )
    rows = "".join(f"<tr>{_cells(row, kinds)}</tr>\n" for row in table.rows)
    note = f'<p class="remark">{_escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="table"><table><caption>{_escape(table.title)}</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>{note}"
    )


def _column_kind(name: str, values: Sequence[object]) -> str:
    numbers = [float(value) for value in values if isinstance(value, Real)]
    if not numbers or not all(value is None or _is_number(value) for value in values):
        return "text"
    share = _SHARES.intersection(name.lower().replace("_", " ").split())
    inside = all(0 <= number <= 1 for number in numbers if math.isfinite(number))
    return "number share" if share and inside else "number"


def _cells(row: Sequence[object], kinds: Sequence[str]) -> str:
    return "".join(_cell(value, kind) for value, kind in zip(row, kinds, strict=True))


def _cell(value: object, kind: str) -> str:
    if kind == "number share" and isinstance(value, Real) and math.isfinite(value):
        return f'<td class="{kind}" style="--share:{float(value):.1%}">{_value(value)}</td>'
    return f'<td class="{kind}">{_value(value)}</td>'


def _picture(picture: Picture, number: int) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    title, caption = _escape(picture.title), _escape(picture.caption)
    # A checkbox enlarges the picture, because the policy allows no script.
    return (
        f'<figure><label><input type="checkbox" aria-label="Enlarge picture {number}: {title}">'
        f'<img src="data:image/png;base64,{data}"{_size(picture.png)} alt="{title}"></label>'
        f"<figcaption><strong>{title}</strong> {caption}</figcaption></figure>"
    )


def _gallery(gallery: Gallery) -> str:
    if not gallery.tiles:
        return ""
    kind = "tiles few" if len(gallery.tiles) <= _FEW else "tiles"
    title = f"<strong>{_escape(gallery.title)}</strong> " if gallery.title else ""
    text = f'<p class="reading">{title}{_escape(gallery.caption)}</p>'
    keys = "".join(
        f'<li><i style="background:rgb({red},{green},{blue})"></i>{_escape(name)}</li>'
        for (red, green, blue), name in gallery.keys
    )
    legend = f'<ul class="keys">{keys}</ul>' if keys else ""
    tiles = "".join(map(_tile, gallery.tiles))
    return f'<div class="gallery">{text}{legend}<ul class="{kind}">{tiles}</ul></div>'


def _tile(tile: Tile) -> str:
    kind = "jpeg" if tile.picture[:2] == b"\xff\xd8" else "png"
    data = base64.b64encode(tile.picture).decode("ascii")
    name, short = _escape(tile.name), _escape(_shortened(tile.name))
    remark = f"<small>{_escape(tile.remark)}</small>" if tile.remark else ""
    return (
        f'<li><label><input type="checkbox" aria-label="Enlarge {name}">'
        f'<img src="data:image/{kind};base64,{data}" alt="{name}" loading="lazy"></label>'
        f'<p title="{name}">{short}{remark}</p></li>'
    )


def _shortened(name: str) -> str:
    # The end of a name often tells more than its middle.
    return name if len(name) <= _LONG_NAME else f"{name[:11]}…{name[-7:]}"


def _size(png: bytes) -> str:
    # Known before the picture is decoded, so that the text below it does not jump.
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        return ""
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))
    return f' width="{width}" height="{height}"'


def _details(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>{content}</details>" if content else ""


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _value(value: object) -> str:
    if value is None:
        return _DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    return _number(float(value)) if isinstance(value, Real) else _escape(str(value))


def _number(value: float) -> str:
    if not math.isfinite(value):
        return _DASH
    size = abs(value)
    if 0 < size < 0.0005:
        return f"{value:.2g}"
    decimals = 3 if size < 100 else 1 if size < 1000 else 0
    return f"{value:,.{decimals}f}"


def _spelled(name: str) -> str:
    words = [_WORDS.get(word, word) for word in name.replace("_", " ").split()]
    text = " ".join(words)
    return text if words and words[0] in _WORDS.values() else text[:1].upper() + text[1:]


def _label(name: str) -> str:
    return _escape(_spelled(name))


def _escape(text: str) -> str:
    # File names may hold bytes that are no text; UTF-8 cannot write the signs that stand for them.
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"))


_STYLE = """
:root{color-scheme:light dark;--paper:#fbfbf9;--raised:#fff;--ink:#23272b;--quiet:#667079;
--line:#e4e5e1;--accent:#1f6f78;--bar:#d9ebe8;--fill:#7fb5b0;
--error:#a8323e;--warning:#8f6100;--note:#47617a}
@media (prefers-color-scheme:dark){:root{--paper:#16191c;--raised:#1d2125;--ink:#dfe3e6;
--quiet:#98a2ab;--line:#31373c;--accent:#7cc4bd;--bar:#24423f;--fill:#4a8b85;--error:#f0909a;--warning:#e2b45c;
--note:#9db8d2}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,footer{max-width:64rem;margin:0 auto;padding:0 1.5rem}
main{padding-top:3.5rem}
h1,h2{line-height:1.2;font-weight:600;letter-spacing:-.015em;overflow-wrap:anywhere}
h1{font-size:clamp(1.7rem,4.5vw,2.5rem);margin:0}
h2{font-size:1.4rem;margin:0 0 1rem}
h2 small{font-size:.9rem;font-weight:400;letter-spacing:0;color:var(--quiet);margin-left:.5rem}
p{margin:0 0 1rem;max-width:44rem;overflow-wrap:anywhere}
a{color:var(--accent);text-underline-offset:.2em}
code{font:.85em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
dl,dd{margin:0}
.kind{margin:0 0 .4rem;color:var(--accent);font-weight:600;font-size:.85rem;letter-spacing:.04em}
.facts{display:flex;flex-wrap:wrap;gap:.3rem 2rem;margin-top:1rem;font-size:.95rem}
.facts div{display:flex;gap:.5rem;min-width:0}
.facts dt{color:var(--quiet);white-space:nowrap}
.facts dd{overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(12.5rem,1fr));gap:.8rem;
margin:2rem 0 1rem}
.card{background:var(--raised);border:1px solid var(--line);border-radius:.6rem;
padding:.9rem 1.1rem 1rem}
.card dt{color:var(--quiet);font-size:.85rem}
.card dd{font-size:1.75rem;line-height:1.3;font-weight:600;letter-spacing:-.02em;
font-variant-numeric:tabular-nums}
.card .bounds{font-size:.8rem;font-weight:400;letter-spacing:0;color:var(--quiet);
white-space:nowrap}
nav{margin:2rem 0 0;padding:.8rem 0;border-block:1px solid var(--line);font-size:.95rem}
nav ol{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.6rem}
nav a{text-decoration:none}
nav a:hover{text-decoration:underline}
section,.findings,.calm{margin-top:3rem;scroll-margin-top:1rem}
section .findings{margin-top:1rem}
.calm{padding:.8rem 1.1rem;border-radius:.6rem;background:var(--bar);max-width:none}
.findings ul{list-style:none;margin:0;padding:0;border-top:1px solid var(--line)}
.findings li{display:grid;grid-template-columns:5.5rem 1fr;gap:.2rem 1rem;padding:1rem 0;
border-bottom:1px solid var(--line)}
.findings p{margin:0}
.findings div{min-width:0}
.badge{justify-self:start;align-self:start;margin-top:.1rem;padding:.1rem .6rem;font-size:.8rem;
font-weight:600;border:1px solid;border-radius:1rem;color:var(--level)}
.error{--level:var(--error)}.warning{--level:var(--warning)}.note{--level:var(--note)}
.findings .hint,.findings .where,.findings details{color:var(--quiet);font-size:.93rem;
margin-top:.25rem}
.hint code{opacity:.8;margin-left:.3rem}
.findings pre{margin:.4rem 0;padding:.5rem .8rem;border-radius:.4rem;background:var(--bar);
overflow-x:auto;font:.83rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.where code,details code{display:inline-block;margin:.1rem .3rem .1rem 0;padding:0 .4rem;
border-radius:.3rem;background:var(--line);color:var(--ink)}
summary{cursor:pointer;color:var(--accent);font-size:.93rem}
.table{overflow-x:auto;margin:1.2rem 0}
table{border-collapse:collapse;font-size:.95rem;min-width:min(100%,24rem)}
caption{text-align:left;font-weight:600;padding-bottom:.5rem}
th,td{padding:.4rem .9rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{color:var(--quiet);font-weight:500;font-size:.85rem;border-bottom-color:var(--quiet);
vertical-align:bottom}
th:first-child,td:first-child{padding-left:0}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.share{min-width:9.5rem;
background:linear-gradient(90deg,var(--fill) var(--share,0%),var(--line) 0) no-repeat
 .9rem 50%/calc(100% - 5.6rem) .4rem}
.remark{color:var(--quiet);font-size:.9rem}
figure{margin:1.8rem 0}
figcaption{color:var(--quiet);font-size:.93rem;margin-top:.6rem;max-width:44rem}
figcaption strong{color:var(--ink);font-weight:600}
label input{position:absolute;opacity:0;width:1px;height:1px}
figure label,.tiles label{display:block;cursor:zoom-in}
img{display:block;max-width:100%;height:auto;border-radius:.6rem;border:1px solid var(--line)}
input:focus-visible+img{outline:3px solid var(--accent);outline-offset:2px}
input:checked+img{position:fixed;z-index:1;inset:0;width:100vw;height:100vh;max-width:none;
object-fit:contain;background:var(--paper);border:0;border-radius:0;padding:1rem;cursor:zoom-out}
footer{margin-top:4rem;padding-top:1.2rem;padding-bottom:2.5rem;color:var(--quiet);font-size:.85rem}
.gallery{margin:1.4rem 0}
.findings .gallery{grid-column:1/-1;margin:.6rem 0 .2rem}
.gallery .reading{color:var(--quiet);font-size:.93rem;margin:0 0 .6rem}
.reading strong{color:var(--ink);font-weight:600}
.findings .gallery ul,.keys,.tiles{list-style:none;margin:0;padding:0;border:0}
.keys{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;font-size:.9rem}
.gallery .keys,.findings .gallery .keys{margin-bottom:.7rem}
.keys li,.findings .keys li,.findings .tiles li{display:block;padding:0;border:0}
.keys i{display:inline-block;width:.8rem;height:.8rem;margin-right:.4rem;border-radius:.2rem;
border:1px solid var(--line);vertical-align:-.06rem}
.tiles,.findings .gallery .tiles{display:grid;gap:.9rem .75rem;align-items:start;
grid-template-columns:repeat(auto-fill,minmax(9rem,1fr))}
.tiles.few,.findings .gallery .few{grid-template-columns:repeat(auto-fill,minmax(9rem,14.5rem))}
.tiles li{min-width:0}
.tiles img{max-height:14.5rem;border-radius:.35rem}
.tiles p{margin:.3rem 0 0;font-size:.82rem;line-height:1.35}
.tiles small{display:block;color:var(--quiet);font-size:.78rem}
.findings .more{color:var(--quiet)}
@media (prefers-color-scheme:dark){img{filter:brightness(.92)}}
@media (max-width:36rem){main,footer{padding-inline:1rem}main{padding-top:2rem}
.findings li{grid-template-columns:1fr}.cards{grid-template-columns:repeat(2,1fr);gap:.6rem}
.card{padding:.7rem .8rem}.card dd{font-size:1.45rem}th,td{padding-inline:.5rem}
td.share{min-width:0;background:none}}
@media print{:root{--paper:#fff;--raised:#fff;--ink:#000;--quiet:#444;--line:#bbb}
body{font-size:10.5pt}main{padding-top:0}nav,summary{display:none}
details::details-content{content-visibility:visible;height:auto}
figure,.card,tr,.findings li{break-inside:avoid}h2,caption{break-after:avoid}
.table{overflow:visible}*{print-color-adjust:exact}}
"""
