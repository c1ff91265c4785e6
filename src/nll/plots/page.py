"""The frame of a heat strip: its page and its style, for light and dark."""

from __future__ import annotations

# Background and text of each step of loss. One hue, told apart by lightness alone, so that neither the colour-blind
# nor a grey print lose the order; every pair has a contrast of 4.5 or more, as WCAG 2.2, 1.4.3 asks.
LIGHT = (
    ("#f4f8fc", "#16202b"),
    ("#d9e8f6", "#16202b"),
    ("#b3d1ec", "#16202b"),
    ("#7fb2df", "#0d151d"),
    ("#3573b0", "#ffffff"),
    ("#123f70", "#ffffff"),
)
DARK = (
    ("#17212c", "#dbe4ee"),
    ("#1d3349", "#e4ecf4"),
    ("#24496d", "#f2f6fa"),
    ("#3f7cb5", "#06090c"),
    ("#86bbe9", "#06090c"),
    ("#d6ebff", "#06090c"),
)
LIGHT_PAGE, DARK_PAGE = ("#ffffff", "#16202b"), ("#0f151b", "#dbe4ee")
# What cannot be is of another hue, and framed.
LIGHT_IMPOSSIBLE, DARK_IMPOSSIBLE = ("#ffffff", "#a33c00"), ("#0f151b", "#ffab66")


def _variables(page: tuple[str, str], impossible: tuple[str, str], steps: tuple[tuple[str, str], ...]) -> str:
    named = {"page": page, "impossible": impossible, **{f"c{i}": step for i, step in enumerate(steps)}}
    return "".join(f"--{name}:{back};--on-{name}:{text};" for name, (back, text) in named.items())


STYLE = (
    f".nll-strip{{{_variables(LIGHT_PAGE, LIGHT_IMPOSSIBLE, LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{.nll-strip{{{_variables(DARK_PAGE, DARK_IMPOSSIBLE, DARK)}}}}}"
    ".nll-strip{box-sizing:border-box;padding:2rem;background:var(--page);color:var(--on-page);"
    "font:15px/1.5 system-ui,sans-serif;print-color-adjust:exact}"
    ".nll-strip h1{font-size:1.25rem;margin:0 0 .25rem;overflow-wrap:anywhere;unicode-bidi:isolate}"
    ".nll-strip p{max-width:72rem;margin:0 0 1rem;overflow-wrap:anywhere}"
    ".nll-strip .facts,.nll-strip .note{opacity:.85}"
    ".nll-strip .legend{font-size:.85rem}"
    ".nll-strip .text{font:15px/2 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap}"
    ".nll-strip .t{unicode-bidi:isolate;border-radius:2px;padding:.15em .05em;"
    "box-shadow:inset 0 0 0 .5px rgb(128 128 128/.35)}"
    ".nll-strip .legend .t{padding:.15em .5em}"
    ".nll-strip .t i{font:normal .7em ui-monospace,monospace;letter-spacing:0}"
    + "".join(f".nll-strip .c{i}{{background:var(--c{i});color:var(--on-c{i})}}" for i in range(len(LIGHT)))
    + ".nll-strip .c6{background:var(--impossible);color:var(--on-impossible);"
    "outline:2px solid var(--on-impossible);outline-offset:-2px}"
    ".nll-strip .u{box-shadow:none;border-bottom:2px dotted currentColor;font-style:italic}"
)

# Of the page alone, and not of a notebook that shows a strip.
PAGE_STYLE = ":root{color-scheme:light dark}body{margin:0}.nll-strip{min-height:100vh}"

# A page may load nothing and run nothing, whatever a log holds.
PAGE = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
)
