"""Documents of the kind that models write, and ways of cutting them into deltas."""

from collections.abc import Iterator
from typing import Final

DOCUMENTS: Final = {
    "paragraphs": "One **bold** word and `code`.\nA second line.\n\nAnother *paragraph*.\n",
    "no final newline": "# Title\n\nThe end",
    "heading then text": "# Title\ntext\n## Sub `x`\n### Third\ntext",
    "setext headings": "Title\n=====\n\nSub\n---\ntext\n",
    "rules": "above\n\n---\n\nbelow\n\n***\n- item\n\n---\n",
    "rule first": "---\ntext\n",
    "bullets": "Here:\n- one\n- two\n  continued\n\n  second paragraph\n- three\n\nAfter.\n",
    "bullets first": "* a\n* b\n",
    "numbers": "Steps:\n\n" + "".join(f"{n}. step {n}\n" for n in range(1, 13)) + "\nDone.\n",
    "numbers from 7": "7. seven\n8. eight\n",
    "nested lists": "- a\n  - b\n    1. c\n    2. d\n  - e\n- f\n",
    "two kinds of list": "- a\n- b\n1. c\n2. d\n* e\n",
    "code in a list": "1. Run:\n\n   ```sh\n   make test\n   ```\n\n2. Wait.\n",
    "fence": "Look:\n```python\ndef f(x):\n    return f'{x}'\n\n\n# end\n```\nAfter.\n",
    "fence with blanks at both ends": "```\n\n\na\n\n\n```\ntext\n",
    "empty fence": "a\n\n```python\n```\n\nb\n",
    "unclosed fence": "a\n\n```python\nx = 1\n\n",
    "fence closed without newline": "```\nx\n```",
    "fences of tildes and four marks": "~~~ruby\nputs 1\n```\n~~~\n\n````\n```\n````\n",
    "indented fence with tabs": "  ```\n  a\n\tb\n c\n      d\n  ```\n",
    "fence with a string over lines": '```python\n"""Doc\n\nmore\n"""\nx = 1\n```\n',
    "code by indentation": "text\n\n    code\n\n    more\n\ntext\n",
    "quote": "> quoted **text**\n> more\n\ntext\n\n> - a\n> - b\n>\n> > deep\n",
    "lazy quote": "> quoted\nlazy\n\ntext\n",
    "table": "Before\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n| **x** | `y` |\n\nAfter\n",
    "table without edges": "a | b\n--- | :-:\n1 | 2\n# Heading\n",
    "almost a table": "text\na | b\n--|--x\nmore\n",
    "table below text": "text\na | b\n--|--\n1 | 2\n",
    "links": "See [docs](https://e.org/a_b) and <https://e.org>.\n\n[e]: https://e.org/x\n\n[e] it\n",
    "hard breaks and escapes": "a  \nb\\\nc \\*not\\* &amp; &lt;\n",
    "strikethrough": "~~gone~~ and ~not~\n",
    "wide": "日本語のテキスト、とても長いので折り返します。🎉 done e\u0301\n\n- 項目 🎉\n",
    "long lines": ("word " * 60) + "\n\n" + ("x" * 130) + "\n\n- " + ("item " * 40) + "\n",
    "html": "a <b>bold</b> word<br>\n\n<div>\nkept\n</div>\n\n</kbd> x <kbd>\n",
    "literal rich markup": "[bold]x[/bold] [/] :smile: [link=a]b[/link] \\[red]\n",
    "only blanks": "\n\n \n",
    "blanks around": "\n\n\ntext\n\n\n\n\nmore\n\n\n",
    "hashes": "#hashtag\n# \n#\ntext\n#no\n",
    "text on the border of a heading": "para\n#\nnext\n\npara\n-\nnext\n",
}


def deltas(text: str, size: int) -> Iterator[str]:
    """Cut text into pieces of `size` characters; 0 means at every line feed."""
    if size == 0:
        yield from text.splitlines(keepends=True)
        return
    for start in range(0, len(text), size):
        yield text[start : start + size]


def mixed_answer(lines: int) -> str:
    """Make a long answer of everything that answers are made of."""
    rows: list[str] = []
    section = 0
    while len(rows) < lines:
        section += 1
        rows += [f"## Section {section}", ""]
        rows += [f"A paragraph with **bold**, `code` and a [link](http://e.org/{section}) that", ""]
        rows += [f"- item {n} with *text*" for n in range(6)] + [""]
        rows += ["```python", *(f"value_{n} = f'{{x}} {n}'  # {n}" for n in range(12)), "```", ""]
        rows += [f"{n}. step number {n}" for n in range(1, 6)] + [""]
        rows += ["| a | b |", "|---|---|", *(f"| {n} | `value {n}` |" for n in range(5)), ""]
        rows += ["> a quotation", "> of two lines", ""]
    return "\n".join(rows[:lines]) + "\n"
