"""Names, tags, texts and pages: what somebody else called things is data, and is shown as such."""

# ruff: noqa: E501 -- a row a line

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import msgspec
import pytest
from forge import FLOW, MOMENT, STEP, Forge, with_fields
from sites import CANARY, Site, readers

from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Failure, GraphNode, LeftOut, Log

USAGE, NOT_FOUND, CONFLICT = 2, 3, 4

TEXTS = {
    "colour": "\x1b[31mred",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "c1": "\x9b31m\x9d0;x\x9c",
    "overwrite": "failed\rok    ",
    "lines": "one\ntwo\x0b\x0c\x85\u2028\u2029three",
    "backspace": "evil\b\b\b\bgood",
    "direction": "\u202efdp.exe\u2066\u200f",
    "invisible": "a\u200bb\ufeffc\u00add\u2060",
    "tag-characters": "a\U000e0041\U000e0042",
    "combining": "a" + "\u0301" * 5000,
    "wide": "\U0001f600" * 500,
    "private": "\ue000\U0010ffff",
    "surrogate-as-text": "\\udcff\\x1b[31m",
    "script": "<script>alert(1)</script>",
    "attribute": '" onload="alert(1)" x=\'',
    "entity": "&lt;&#60;&amp;]]>--><!--",
    "url": "javascript:alert(1)",
    "dot": 'x"]; y [label="evil" URL="http://evil"]; //\\N\\l\\',
    "dot-html": "<b>bold</b>",
    "markdown": "[x](http://evil)\n# Evil\n```\n",
    "formula": "=cmd|'/c calc'!A0",
    "shell": "$(touch canary)`touch canary`; touch canary",
    "percent": "%s%n%d{}{0}{x.__class__}",
    "json": '"}],"x":[{"\\u0000',
    "long": "x" * 300_000,
    "nul": "a\0b",
    "empty": "",
    "spaces": "   ",
    "option": "--help",
    "sql": "'); DROP TABLE runs; --",
}


def everywhere(text: str) -> Callable[[Forge], None]:
    """A run whose every name and text that need not be typed is `text`."""

    def forge(made: Forge) -> None:
        failure = Failure(text, text, text)
        log = f"{MOMENT} {text}".replace("\n", " ").encode("utf-8", "replace")[:1500] + b"\n"
        for _ in range(2):
            made.run(
                values=[
                    made.artifact(text.encode("utf-8", "replace"), "text", kind=text),
                    Artifact(f"number{text[:100]}", "float", value=0.5),
                ],
                opening=with_fields(
                    parameters=(Artifact(f"p{text[:100]}", text[:100], value=text),),
                    graph=(
                        GraphNode(STEP, text, (text,), False, 1, text),
                        GraphNode(text, "x", (), False, 1, text),
                    ),
                    left_out=(LeftOut(text, text, 1),),
                    argv=(text, text),
                    cwd=text,
                    user=text,
                    host=text,
                    variables=((text, text),),
                    mfv=text,
                    version=text,
                    cloned_from=text,
                    hash_seed=text,
                ),
                machine=with_fields(
                    python=text, cpu=text, libc=text, gpus=(text,), blas=text, timezone=text
                ),
                task=with_fields(
                    failure=failure, stdout=Log(len(log), 1, log), dropped=((text, text),)
                ),
                manifest=with_fields(failure=failure, failed_step=text),
            )

    return forge


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_that_acts_on_a_screen_or_a_page_is_shown_as_text(
    site: Site, text: str, long: bool
) -> None:
    everywhere(text)(site.forge())
    commands = [words for words in readers(core=not long) if words[0] not in ("clone", "gc")]
    pages = [["graph", "--format", form] for form in ("svg", "dot")]
    completed = [
        ["--complete", f"mfv {line}"]
        for line in ("show @/start/1/", "log --where ", "cat @:", "env @ --format ")
    ]
    done = site.visit([*commands, *pages, *completed, ["log", "--json"]])
    assert list(site.root.rglob(CANARY)) == []
    for line in ("log", "show", "diff @{-1} @"):
        assert done[line].status in (0, 5)
    assert len(done["log"].out) < 100_000
    for line in done["log --json"].out.splitlines() if len(text) < 10_000 else ():
        msgspec.json.decode(line)
    if len(text) < 10_000:
        check_svg(done["graph --format svg"].out)
        check_dot(done["graph --format dot"].out)


def check_svg(page: str) -> None:
    """A picture of shapes and text, in which nothing can act."""
    for element in ElementTree.fromstring(page).iter():
        name = element.tag.rpartition("}")[2]
        assert name in (
            "svg",
            "g",
            "rect",
            "path",
            "text",
            "tspan",
            "title",
            "desc",
            "circle",
            "line",
            "polygon",
            "polyline",
            "defs",
            "marker",
            "style",
        ), name
        for attribute, value in element.attrib.items():
            assert not attribute.lower().startswith("on") and "href" not in attribute.lower()
            assert "javascript:" not in value


def check_dot(page: str) -> None:
    """As many quotes as there are must open and close: no text ends its own."""
    plain = page.replace("\\\\", "").replace('\\"', "")
    assert plain.count('"') % 2 == 0
    outside = "".join(plain.split('"')[::2])
    assert "URL" not in outside and "evil" not in outside


# Tags and notes, as they are typed.

TAGS = {
    "up": "../../x", "slash": "refs/x", "dots": "a..b", "head": "HEAD", "latest": "latest", "lock": "x.lock", "at": "@{0}",
    "at-alone": "@", "tilde": "a~1", "caret": "a^", "option": "-d", "option-long": "--force", "empty": "", "dot": ".",
    "dot-begins": ".x", "dot-ends": "x.", "space": "a b", "nul-like": "a\tb", "newline": "a\nb", "escape": "a\x1b[31m",
    "direction": "a\u202eb", "invisible": "a\u200bb", "nfd": "e\u0301", "surrogate": "a\udcff", "number": "12", "id": "deadbeef",
    "id-capital": "DEADBEEF", "id-64": "a" * 64, "device": "con", "device-capital": "NUL", "ours": ".mfv", "long": "x" * 201,
    "glob": "a*", "brackets": "a[b]", "braces": "{a}", "pipe": "a|b", "quote": "a'b", "backslash": "a\\b",
}  # fmt: skip


@pytest.mark.parametrize("tag", TAGS.values(), ids=TAGS)
def test_a_tag_that_means_something_else_is_refused(site: Site, tag: str) -> None:
    site.forge().run()
    words = ["tag", "--", tag, "@"] if tag.startswith("-") else ["tag", tag, "@"]
    done = site.visit([words, ["tag"]])
    assert done[" ".join(words)].status in (USAGE, NOT_FOUND), done
    assert done["tag"].out.startswith("no tags yet")


def tagged(*tags: str) -> Callable[[Forge], None]:
    from mfv.repo.entries import TagRuns

    def forge(made: Forge) -> None:
        made.run()
        made.run()
        made.append(TagRuns((), tuple((FLOW, 1, tag) for tag in tags)))
        made.tip()

    return forge


@pytest.mark.parametrize("tag", ["2", "Flow/2", "@", "@{-1}", "Flow", "HEAD", "../x", "-d"])
def test_a_tag_of_somebody_else_takes_no_other_name(site: Site, tag: str) -> None:
    tagged(tag)(site.forge())
    done = site.visit(
        [
            ["show", "--json", "--", tag],
            ["show", "@", "--json"],
            ["show", "2", "--json"],
            ["tag"],
            ["fsck"],
        ]
    )
    for line in ("show @ --json",):
        assert msgspec.json.decode(done[line].out)["number"] == 2
    two = done["show 2 --json"]
    assert two.status == CONFLICT or msgspec.json.decode(two.out)["number"] == 2
    assert done["tag"].status == 0


def test_of_ten_thousand_tags_one_on_a_run_that_is_damaged_hides_none(site: Site) -> None:
    made = site.forge()
    tagged(*(f"t{place:05}" for place in range(9_999)))(made)
    from mfv.repo.entries import TagRuns

    made.append(TagRuns((), (("None", 7, "lost"),)))
    made.tip()
    done = site.visit([["tag"], ["fsck"], ["show", "lost"]])
    assert len(done["tag"].out.splitlines()) == 10_000
    assert done["fsck"].status == 5 and done["show lost"].status == 5


def ids_alike(made: Forge) -> None:
    for _ in range(60):
        made.run()


def test_a_prefix_that_means_several_runs_lists_them(site: Site) -> None:
    import collections

    made = site.forge()
    ids_alike(made)
    listed = site.visit([["log", "-n", "0", "--json"]])["log -n 0 --json"].out.splitlines()
    ids = [msgspec.json.decode(line)["id"] for line in listed]
    short = collections.Counter(one[:1] for one in ids if one[0] in "abcdef").most_common(1)[0][0]
    done = site.visit([["show", short], ["show", ids[0][:12]]])
    assert done[f"show {short}"].status in (NOT_FOUND, CONFLICT)
    assert done[f"show {ids[0][:12]}"].status == 0
