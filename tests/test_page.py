import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from delineate.page import render
from delineate.report import Finding, Gallery, Picture, Report, Section, Table, Tile

HOSTILE = "<script>alert('1')</script>\" onload=\"alert(2)&amp;"
VOID = {"meta", "img", "input"}


class Page(HTMLParser):
    """The elements of a page: (tag, attributes, text inside), and whether all tags are closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        element = [tag, dict(attrs), ""]
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for element in self.open:
            element[2] += data

    def all(self, tag, kind=None):
        return [e for e in self.elements if e[0] == tag and kind in (None, e[1].get("class"))]

    def texts(self, tag, kind=None):
        return [" ".join(element[2].split()) for element in self.all(tag, kind)]


def png(width=3, height=2):
    content = io.BytesIO()
    Image.new("RGB", (width, height), (9, 8, 7)).save(content, "PNG")
    return content.getvalue()


def page_of(**changes):
    return Page(
        render(Report(**({"title": "Cells", "kind": "evaluation", "values": {}} | changes)))
    )


def table_of(columns, *rows, **changes):
    return page_of(sections=(Section("s", tables=(Table("t", columns, rows, **changes),)),))


def everything():
    gallery = Gallery(HOSTILE, HOSTILE, (Tile(png(), HOSTILE, HOSTILE),), (((1, 2, 3), HOSTILE),))
    hint = f"{HOSTILE}\n{HOSTILE}"
    finding = Finding(HOSTILE, "error", HOSTILE, hint, (HOSTILE,) * 12, gallery)
    table = Table(HOSTILE, (HOSTILE,), ((HOSTILE,),), HOSTILE)
    pictures = (Picture(HOSTILE, HOSTILE, png()),)
    section = Section(HOSTILE, HOSTILE, (table,), pictures, (finding,), (gallery,))
    values = {HOSTILE: HOSTILE, f"{HOSTILE} number": 1.0}
    return Report(HOSTILE, HOSTILE, values, (finding,), (section, section))


def test_whatever_a_report_says_no_element_or_attribute_of_its_making_is_on_the_page():
    page = Page(render(everything()))
    assert not page.open
    assert not page.all("script")
    assert not [e for e in page.elements if any(name.startswith("on") for name in e[1])]
    assert page.texts("h1") == [HOSTILE]
    assert page.all("img")[0][1]["alt"] == HOSTILE


def test_the_page_forbids_scripts_and_connections_and_refers_to_nothing_outside():
    page = Page(render(everything()))
    policies = [e[1]["content"] for e in page.all("meta") if "http-equiv" in e[1]]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert not page.all("link")
    links = [e[1][name] for e in page.elements for name in ("src", "href") if name in e[1]]
    assert links
    assert all(link.startswith(("#section-", "data:image/png;base64,")) for link in links)
    assert not any("url(" in e[1].get("style", "") for e in page.elements)
    style = page.texts("style")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_the_page_has_a_language_a_title_and_styles_for_dark_small_and_printed_pages():
    page = page_of()
    assert page.all("html")[0][1]["lang"] == "en"
    assert page.texts("title") == ["Cells"]
    style = page.texts("style")[0]
    for medium in ("prefers-color-scheme:dark", "max-width", "print"):
        assert f"@media {medium}" in style.replace("(", "")


def test_names_that_are_no_text_do_not_keep_the_page_from_being_written():
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    finding = Finding("x", "note", name, "Rename it.", (name,))
    text = render(Report("t", "check", {}, (finding,)))
    assert "caf?.png" in text.encode("utf-8").decode("utf-8")


def test_numbers_are_cards_and_words_are_facts():
    page = page_of(
        values={
            "mean_iou": np.float32(0.72714),
            "ap50": None,
            "images": 12345,
            "dsb_map": float("nan"),
            "split": "test",
            "augmented": True,
            "classes": [{"name": "a"}],
        }
    )
    cards = page.texts("div", "card")
    assert cards == ["Mean IoU0.727", "Images12,345"]
    facts = page.all("dl", "facts")[0][2]
    assert facts == "SplittestAugmentedyes"


def test_a_card_shows_the_interval_of_its_number():
    page = page_of(
        values={
            "mean_iou": 0.5,
            "dice": 0.6,
            "accuracy": 0.7,
            "intervals": {"mean_iou": (0.4, 0.61), "dice": None},
        }
    )
    assert page.texts("dd", "bounds") == ["95 %: 0.400 \N{EN DASH} 0.610"]


def test_numbers_beyond_the_eighth_are_folded_into_a_table():
    page = page_of(values={f"number_{index}": index for index in range(10)})
    assert len(page.all("div", "card")) == 8
    assert page.texts("td") == ["Number 8", "8", "Number 9", "9"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12349, "0.123"),
        (0, "0"),
        (0.0, "0.000"),
        (-0.5, "-0.500"),
        (1e-05, "1e-05"),
        (0.0005, "0.001"),
        (99.5, "99.500"),
        (123.456, "123.5"),
        (12345.6, "12,346"),
        (1234567, "1,234,567"),
        (np.int64(5), "5"),
        (None, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"),
        (True, "yes"),
        (False, "no"),
        ("a<b", "a<b"),
    ],
)
def test_a_value_in_a_table_is_written_so_that_it_can_be_compared(value, shown):
    assert table_of(("Value",), (value,)).texts("td") == [shown]


def test_columns_of_numbers_are_aligned_and_columns_with_words_are_not():
    page = table_of(("Name", "Pixels", "Mixed"), ("a", 1, 1), ("b", None, "x"))
    assert [e[1]["class"] for e in page.all("th")] == ["text", "number", "text"]
    assert [e[1]["class"] for e in page.all("td")] == ["text", "number", "text"] * 2


def test_scores_in_a_table_have_a_bar_of_their_length():
    page = table_of(("Mean IoU", "Loss", "Dice"), (0.25, 0.25, 1.5), (None, 0.5, 0.5))
    assert [e[1].get("style") for e in page.all("td")] == ["--share:25.0%"] + [None] * 5


def test_a_column_without_any_value_is_shown_as_dashes():
    assert table_of(("IoU",), (None,)).texts("td", "text") == ["\N{EN DASH}"]


def test_a_table_has_its_title_and_its_note():
    page = table_of(("A",), (1,), note="Read it well.")
    assert page.texts("caption") == ["t"]
    assert page.texts("p", "remark") == ["Read it well."]


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        table_of(("A",), (1, 2))


def test_findings_stand_from_the_worst_to_the_mildest_with_badge_hint_and_code():
    findings = (
        Finding("n", "note", "A note.", "Nothing to do."),
        Finding("e", "error", "An error.", "Mend it."),
        Finding("w", "warning", "A warning.", "Look at it."),
        Finding("e2", "error", "Another.", "Mend it too."),
    )
    page = page_of(findings=findings)
    assert page.texts("span", "badge") == ["Error", "Error", "Warning", "Note"]
    assert page.texts("p", "hint")[0] == "Mend it. e"
    assert page.texts("small") == ["2 errors, 1 warning, 1 note"]


def test_of_many_places_the_first_are_shown_and_the_others_folded():
    finding = Finding("n", "note", "m", "h", tuple(f"{index}.png" for index in range(11)))
    page = page_of(findings=(finding,))
    assert page.texts("p", "where")[0].split() == [f"{index}.png" for index in range(8)]
    assert page.texts("details") == ["3 more8.png 9.png 10.png"]


def test_a_check_without_findings_says_so_and_an_evaluation_does_not():
    assert page_of(kind="check").texts("p", "calm") == ["Nothing found that needs attention."]
    assert not page_of(kind="evaluation").all("p", "calm")


def test_a_check_with_a_finding_in_a_section_does_not_claim_to_have_found_nothing():
    section = Section("s", findings=(Finding("n", "note", "m", "h"),))
    page = page_of(kind="check", sections=(section,))
    assert not page.all("p", "calm")
    assert page.texts("span", "badge") == ["Note"]


def test_several_sections_have_a_table_of_contents_whose_links_lead_to_them():
    page = page_of(sections=(Section("One"), Section("Two")))
    links = [(e[1]["href"], e[2]) for e in page.all("a")]
    anchors = [e[1]["id"] for e in page.all("section")]
    assert links == [(f"#{anchors[0]}", "One"), (f"#{anchors[1]}", "Two")]
    assert not page_of(sections=(Section("One"),)).all("nav")


def test_empty_lines_separate_paragraphs():
    page = page_of(sections=(Section("s", "One\nstill one.\n\n \nTwo.\n"),))
    assert page.texts("p")[1:] == ["One still one.", "Two."]


def test_a_picture_is_inside_the_page_with_its_size_and_its_title_as_alternative_text():
    picture = Picture("Curves", "Loss over epochs.", png(30, 20))
    page = page_of(sections=(Section("s", pictures=(picture, picture)),))
    image = page.all("img")[0][1]
    assert base64.b64decode(image["src"].partition(",")[2]) == picture.png
    assert (image["width"], image["height"], image["alt"]) == ("30", "20", "Curves")
    assert page.texts("figcaption")[0] == "Curves Loss over epochs."
    labels = [element[1]["aria-label"] for element in page.all("input")]
    assert labels == ["Enlarge picture 1: Curves", "Enlarge picture 2: Curves"]


def test_a_picture_that_is_no_png_has_no_size():
    picture = Picture("Curves", "", b"no picture, but long enough to have a header")
    page = page_of(sections=(Section("s", pictures=(picture,)),))
    assert "width" not in page.all("img")[0][1]


def jpeg():
    content = io.BytesIO()
    Image.new("RGB", (3, 2), (9, 8, 7)).save(content, "JPEG")
    return content.getvalue()


def gallery_of(*tiles, **changes):
    return Gallery(**({"title": "", "caption": "c", "tiles": tiles} | changes))


def test_tiles_are_inside_the_page_with_their_names_and_remarks():
    tiles = Tile(jpeg(), "a", "train"), Tile(png(), "b")
    page = page_of(sections=(Section("s", galleries=(gallery_of(*tiles),)),))
    sources = [element[1]["src"].partition(",") for element in page.all("img")]
    assert [start for start, _, _ in sources] == [
        "data:image/jpeg;base64",
        "data:image/png;base64",
    ]
    assert [base64.b64decode(data) for _, _, data in sources] == [jpeg(), png()]
    assert [element[1]["alt"] for element in page.all("img")] == ["a", "b"]
    assert page.texts("small") == ["train"]
    assert [e[1]["aria-label"] for e in page.all("input")] == ["Enlarge a", "Enlarge b"]


def test_the_middle_of_a_long_name_is_left_out_but_not_lost():
    name = "0123456789abcdef" * 4
    page = page_of(sections=(Section("s", galleries=(gallery_of(Tile(png(), name)),)),))
    (text,) = [element for element in page.all("p") if element[1].get("title") == name]
    assert text[2] == f"{name[:11]}…{name[-7:]}"


def test_colours_have_a_key_and_a_gallery_without_tiles_is_left_out():
    keyed = gallery_of(Tile(png(), "a"), keys=(((1, 2, 3), "car"),))
    page = page_of(sections=(Section("s", galleries=(keyed, gallery_of(keys=keyed.keys))),))
    assert [e[1]["style"] for e in page.all("i")] == ["background:rgb(1,2,3)"]
    assert page.texts("ul", "keys") == ["car"]
    assert len(page.all("div", "gallery")) == 1


def test_the_pictures_of_a_finding_stand_within_it():
    finding = Finding("n", "note", "m", "h", gallery=gallery_of(Tile(png(), "a")))
    page = page_of(findings=(finding,))
    assert page.texts("li", "note")[0].startswith("Note")
    assert page.texts("li", "note")[0].endswith("ca")


def test_of_one_rule_eight_findings_are_shown_and_the_others_counted():
    findings = [Finding("D302", "note", f"n{number}", "h") for number in range(40)]
    page = page_of(findings=(*findings, Finding("D301", "warning", "w", "h")))
    assert page.texts("span", "badge") == ["Warning"] + ["Note"] * 8
    assert page.texts("p", "more") == ["and 32 more of D302"]
    assert page.texts("small") == ["1 warning, 40 notes"]


def test_lines_of_a_hint_that_are_to_be_copied_keep_their_form():
    finding = Finding("n", "note", "m", "Write into it:\n[masks]\n  ignore = [7]")
    page = page_of(findings=(finding,))
    assert page.texts("p", "hint") == ["Write into it: n"]
    assert page.all("pre")[0][2] == "[masks]\n  ignore = [7]"
