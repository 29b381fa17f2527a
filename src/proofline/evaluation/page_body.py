"""The report's Markdown as HTML, its pictures in it and its numbers linked to their items.

In: Markdown as `results_markdown` writes it, PNG files by address, `Items`. Out: HTML and the headings.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

from proofline.evaluation.item_links import ELLIPSIS, NUMBER, Link, PageError, cell_links
from proofline.evaluation.items import Items


class Heading(NamedTuple):
    """Its level, words and anchor."""

    level: int
    words: str
    anchor: str


class Body(NamedTuple):
    """The first heading is the title; the HTML begins after it."""

    title: str
    html: str
    headings: tuple[Heading, ...]


@dataclass
class Table:
    """One table's opening token; of each cell the opening one and its content."""

    opening: Token
    rows: list[list[tuple[Token, Token]]] = field(default_factory=list)

    def words(self, row: int, column: int) -> str:
        return self.rows[row][column][1].content


def page_body(markdown: str, pictures: Mapping[str, bytes], items: Items) -> Body:
    """Raises PageError where the Markdown has no title, shows an unknown picture, or contradicts the items."""
    parser = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False}).enable("table")
    tokens = parser.parse(markdown)
    if [token.type for token in tokens[:1]] != ["heading_open"] or tokens[0].tag != "h1":
        raise PageError(f"the report begins with {markdown[:40]!r}: begin it with its title, `# …`")
    for table in _tables(tokens):
        _link_cells(table, items)
    for image in (child for token in tokens for child in token.children or () if child.type == "image"):
        _inline_picture(image, pictures)
    headings = tuple(_anchored(tokens))
    parser.add_render_rule("table_open", _scrolling)
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return Body(headings[0].words, parser.renderer.render(tokens[3:], parser.options, {}), headings)


def _anchored(tokens: Sequence[Token]) -> Iterator[Heading]:
    """The headings, each given its anchor."""
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            anchor = "report-" + re.sub(r"\W+", "-", inline.content.lower()).strip("-")
            token.attrSet("id", anchor)
            yield Heading(int(token.tag[1:]), inline.content, anchor)


def _inline_picture(image: Token, pictures: Mapping[str, bytes]) -> None:
    name = str(image.attrs["src"])
    if name not in pictures:
        raise PageError(f"the report shows {name}, which is none of {', '.join(sorted(pictures)) or 'no pictures'}")
    image.attrSet("src", "data:image/png;base64," + base64.b64encode(pictures[name]).decode("ascii"))


def _tables(tokens: Sequence[Token]) -> list[Table]:
    tables: list[Table] = []
    for token, inline in pairwise(tokens):
        if token.type == "table_open":
            tables.append(Table(token))
        elif token.type == "tr_open":
            tables[-1].rows.append([])
        elif token.type in ("th_open", "td_open"):
            tables[-1].rows[-1].append((token, inline))
    return tables


def _scrolling(renderer: object, tokens: Sequence[Token], at: int, *_: object) -> str:
    """A table in a box of its own, which scrolls sideways where the screen is narrow, by keyboard too."""
    label = escapeHtml(tokens[at].meta["label"])
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table>\n'


def _link_cells(table: Table, items: Items) -> None:
    above, table.opening.meta["label"] = "", table.words(0, 0)
    for row in range(len(table.rows)):
        title = table.words(row, 0)
        title = f"{above} {title}" if title.startswith(ELLIPSIS) else title
        above = above if table.words(row, 0).startswith(ELLIPSIS) else title
        for column, (opening, inline) in enumerate(table.rows[row]):
            if "style" in opening.attrs:  # the page's policy allows no style but its own
                del opening.attrs["style"]
                opening.attrSet("class", "number")
            if row and column:
                found = cell_links(items, table.words(0, 0), title, table.words(0, column), inline.content)
                if found:
                    inline.children = [*_linked(inline.children or [], found.inside), *_below(found.below)]


def _linked(children: Sequence[Token], links: Sequence[Link]) -> Iterator[Token]:
    """The cell's content, its first numbers linked one by one."""
    waiting = list(links)
    for child in children:
        if child.type != "text":
            yield child
            continue
        end = 0
        for number in NUMBER.finditer(child.content):
            if waiting:
                yield _text(child.content[end : number.start()])
                yield from _anchor(waiting.pop(0), number.group(), told=True)
                end = number.end()
        yield _text(child.content[end:])


def _below(links: Sequence[Link]) -> Iterator[Token]:
    for position, link in enumerate(links):
        yield _text(", ") if position else Token("hardbreak", "br", 0)
        yield from _anchor(link, link.words)


def _anchor(link: Link, words: str, told: bool = False) -> Iterator[Token]:
    """`told`: the words are a number, and what it counts is a hint beside it."""
    attributes: dict[str, str | int | float] = {"href": link.href}
    yield Token("link_open", "a", 1, attrs={**attributes, "title": link.words} if told else attributes)
    yield _text(words)
    yield Token("link_close", "a", -1)


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
